"""A model's card: how it was made and what it can do, all of it measured on the weights as they are shipped."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import SpecFileError

FILE = "card.json"
README = "README.md"
LICENCE = "apache-2.0"
REPRODUCES_WITHIN = 0.05


@dataclass(frozen=True, kw_only=True)
class Card:
    """`standard` and `hard`: domain -> accuracy, n, low, high (Wilson, 95 %) and floor (what guessing scores).

    `depth`: n, and domain -> one number a block under `drops` (accuracy lost without the block) and `lens`
    (accuracy read off after it). `gate` lists why layer experiments on this model would mislead; empty is good.
    `seconds` are of processor time, all threads together.
    """

    name: str
    about: str
    recipe: dict[str, Any]
    parameters: int
    tokens: int
    seconds: float
    made_with: dict[str, str]
    corpus_hash: str
    tokenizer_hash: str
    reproduces_within: float
    curve: list[list[float]]
    standard: dict[str, dict[str, float]]
    hard: dict[str, dict[str, float]]
    depth: dict[str, Any]
    gate: list[str]

    def __repr__(self) -> str:
        return "\n".join([*_origin(self), "", *_accuracies(self), "", *_depth(self), "", _verdict(self)])

    def save(self, folder: Path) -> None:
        """For programs, and as a model card for people and for whoever looks for a licence."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        (folder / README).write_text(f"---\nlicense: {LICENCE}\n---\n\n```\n{self!r}\n```\n", encoding="utf-8")


def load(folder: Path) -> Card:
    """SpecFileError when the file is damaged or of another version."""
    try:
        data = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Card(**data)
    except (ValueError, TypeError):
        raise SpecFileError(f"{folder.name}/{FILE} is no card of this version.", "Train the model again.") from None


def _origin(card: Card) -> list[str]:
    recipe = card.recipe
    return [
        f"{card.name}: {card.about}",
        f"{card.parameters:,} parameters, {recipe['steps']:,} steps, {card.tokens / 1e6:.1f}M tokens, "
        f"{card.seconds / 60:.0f} processor minutes, seed {recipe['seed']}",
        f"answer loss {_thinned(card.curve)}",
        f"corpus {card.corpus_hash}, tokenizer {card.tokenizer_hash}; "
        f"the same seed gives these accuracies within {card.reproduces_within:.0%}",
    ]


def _thinned(curve: list[list[float]]) -> str:
    shown = curve[:: max(1, len(curve) // 8)] + curve[-1:]
    return ", ".join(f"{loss:.2f} (step {step:g})" for step, loss in shown) or "not recorded"


def _accuracies(card: Card) -> list[str]:
    lines = [f"{'held out':<12}{'accuracy':>9}{'95 %':>14}{'n':>6}{'guessing':>10}{'harder':>9}"]
    for domain, score in card.standard.items():
        interval = f"{score['low']:.2f} to {score['high']:.2f}"
        lines.append(
            f"{domain:<12}{score['accuracy']:>9.3f}{interval:>14}{score['n']:>6}{score['floor']:>10.3f}"
            f"{card.hard[domain]['accuracy']:>9.3f}"
        )
    return lines


def _depth(card: Card) -> list[str]:
    blocks = range(len(next(iter(card.depth["lens"].values()))))
    return [
        line
        for title, key in (("lost without block", "drops"), ("read off after block", "lens"))
        for line in (
            f"{title:<22}" + "".join(f"{block:>7}" for block in blocks),
            *(
                f"  {domain:<20}" + "".join(f"{share:>7.2f}" for share in shares)
                for domain, shares in card.depth[key].items()
            ),
        )
    ]


def _verdict(card: Card) -> str:
    return "depth gate: passed" if not card.gate else "depth gate: not passed: " + "; ".join(card.gate)
