"""Which parts of one model would run in another: as they are, with which adapter, or not and why.

Worked out from two specs alone, so both models may long be gone. Every part of both models counts, not the first layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..view.bars import number
from ..view.cards import Card
from ..view.frames import framed
from ..view.shown import Shown
from .adapters import Judgement, Verdict, judge
from .part_spec import PartType
from .specs import ModelSpec
from .tokens import overlap
from .traits import HEAD, Sort, sorts

if TYPE_CHECKING:
    import pandas as pd

_PAIRS = ("families", "hidden_dims", "layers", "heads", "vocab_sizes")
Judged = tuple[Sort, Judgement]
_SHOWN = 3  # reasons of one kind of part; the rest are counted


@dataclass(frozen=True)
class PartFit:
    """One kind of part in both models. `as_is` counts those that fit as they are, of how many, in either model."""

    part: str
    verdict: Verdict
    adapters: tuple[str, ...]
    reason: str
    as_is: tuple[tuple[int, int], tuple[int, int]]

    @property
    def adapter(self) -> str:
        return ", ".join(self.adapters)

    def __str__(self) -> str:
        said = [text for text in (self.adapter, self.reason) if text]
        return ": ".join([self.verdict.value, "\n".join(said)]) if said else self.verdict.value


@dataclass(frozen=True, repr=False)
class Compatibility(Mapping[str, Any], Shown):
    """Two models side by side, by key, and `parts`: one row for every kind of part in either.

    `compatible_parts` fit as they are, all of them; `reasons` says of every other kind why not.
    """

    facts: Mapping[str, Any]
    parts: tuple[PartFit, ...]

    def __getitem__(self, key: str) -> Any:
        return self.facts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)

    def frame(self) -> pd.DataFrame:
        """One row for each kind of part: verdict, adapter, reason, and how many fit as they are in either model."""
        rows = [(row.verdict.value, row.adapter, row.reason, *map(_of, row.as_is)) for row in self.parts]
        heads = ["verdict", "adapter", "reason", "as it is in a", "as it is in b"]
        return framed("part", [row.part for row in self.parts], heads, rows)

    def picture(self) -> Card:
        facts = {key.replace("_", " "): " · ".join(map(number, self.facts[key])) for key in _PAIRS}
        facts["tokenizers"] = ", ".join(dict.fromkeys((self.facts["tokenizers"], self.facts["token_overlap"])))
        verdicts = [row.verdict for row in self.parts]
        note = ", ".join(f"{verdicts.count(each)} {each.value}" for each in Verdict)
        title = " · ".join(self.facts["models"])
        return Card(title, {**facts, **{row.part: str(row) for row in self.parts}}, f"Kinds of parts: {note}.")


def compare(a: ModelSpec, b: ModelSpec) -> Compatibility:
    """Both models side by side, and each kind of part with its verdict."""
    parts = tuple(_row(kind, a, b) for kind in _kinds(a, b))
    rows = [row for row in parts if row.part != HEAD]
    tokenizers, shared = _tokenizers(a, b)
    facts = {
        "models": (a.model_id, b.model_id),
        "families": (a.family.value, b.family.value),
        "hidden_dims": (a.hidden_dim, b.hidden_dim),
        "layers": (a.num_layers, b.num_layers),
        "heads": (a.num_heads, b.num_heads),
        "vocab_sizes": (a.vocab_size, b.vocab_size),
        "tokenizers": tokenizers,
        "token_overlap": shared,
        "compatible_parts": [row.part for row in rows if row.verdict is Verdict.AS_IS],
        "reasons": {row.part: row.reason for row in rows if row.verdict is not Verdict.AS_IS},
    }
    return Compatibility(facts, parts)


def _kinds(a: ModelSpec, b: ModelSpec) -> list[str]:
    """Single heads stand behind attention."""
    present = {part.part_type for spec in (a, b) for part in spec.parts.values()}
    kinds = [kind.value for kind in PartType if kind in present]
    if any(part.num_heads for spec in (a, b) for part in spec.all_attention_parts()):
        kinds.insert(kinds.index("attention") + 1, HEAD)
    return kinds


def _row(kind: str, a: ModelSpec, b: ModelSpec) -> PartFit:
    mine, theirs = sorts(a, kind), sorts(b, kind)
    if not mine or not theirs:
        without = b if mine else a
        return PartFit(kind, Verdict.CANNOT, (), f"{without.model_id} has none", (_count(mine), _count(theirs)))
    best_of_a = [(sort, min((judge(sort, other) for other in theirs), key=_rank)) for sort in mine]
    best_of_b = [(sort, min((judge(other, sort) for other in mine), key=_rank)) for sort in theirs]
    judged = [found for _, found in (*best_of_a, *best_of_b)]
    return PartFit(
        part=kind,
        verdict=max(judged, key=_rank).verdict,
        adapters=tuple(dict.fromkeys(adapter for found in judged for adapter in found.adapters)),
        reason=_reason(best_of_a, best_of_b),
        as_is=(_count(mine, best_of_a), _count(theirs, best_of_b)),
    )


def _rank(found: Judgement) -> tuple[int, int, bool]:
    return found.rank


def _count(of: list[Sort], judged: list[Judged] | None = None) -> tuple[int, int]:
    fitting = sum(sort.count for sort, found in judged or () if found.verdict is Verdict.AS_IS)
    return fitting, sum(sort.count for sort in of)


def _reason(a: list[Judged], b: list[Judged]) -> str:
    """One for all, or each with how many parts of which model it is true of."""
    reasons = {found.reason for _, found in (*a, *b)}
    if len(reasons) == 1:
        return reasons.pop()
    said = {found.reason for _, found in a}
    lines = [*_lines(a), *_lines([(sort, found) for sort, found in b if found.reason not in said], b)]
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "\n".join([*lines[:_SHOWN], *more])


def _lines(judged: list[Judged], among: list[Judged] | None = None) -> Iterator[str]:
    whole = sum(sort.count for sort, _ in among or judged)
    counts: dict[str, int] = {}
    for sort, found in judged:
        counts[found.reason] = counts.get(found.reason, 0) + sort.count
    for reason, count in counts.items():
        yield f"{_of((count, whole))} in {judged[0][0].spec.model_id}: {reason or Verdict.AS_IS.value}"


def _of(count: tuple[int, int]) -> str:
    return f"{count[0]} of {count[1]}"


def _tokenizers(a: ModelSpec, b: ModelSpec) -> tuple[str, str]:
    """In a word, and the shares of tokens in common."""
    mine, theirs = a.extra_info.get("tokenizer"), b.extra_info.get("tokenizer")
    if mine is None or theirs is None:
        return "unknown", "unknown"
    shares = dict.fromkeys(map(str, overlap(mine, theirs)))
    word = "same" if mine["digest"] == theirs["digest"] else "different"
    return word, f"{' and '.join(shares)} of the tokens shared"
