"""Heads: which attention heads look back, copy or rest, by the standard scores, on texts or on random tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...core.batch import Batch, Prompt, prepare
from ...core.parts import parse
from ...core.seed import seeded
from ...core.sites import Tap
from ...errors import InputError, UnknownPartError, nearest
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from ...view.bars import Column, Table, number
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..texts.prompt import Words, ids_of
from ..texts.prompts import each_prompt, said_together
from .head_scores import AHEAD, SCORES, SHARES, Wanted, even
from .patterns import attending, demand_room, patterns

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

THRESHOLD = 0.4  # share of attention from which a head is called by a kind; ours, the field has no standard
LENGTH, DRAWS = 20, 4  # random tokens, said twice each; and how many such texts
SHOWN = 40  # rows of a table; the frame holds them all
LABELS = {
    "previous_token": "attention to the token before",
    "duplicate_token": "attention to earlier equal tokens",
    "induction": "attention behind earlier equal tokens",
    "sink": "attention to the first token",
    "entropy": "entropy of attention, nats",
}
Scores = Mapping[str, float]


@dataclass(frozen=True, eq=False, repr=False)
class Heads(Drawn):
    """Scores by head, such as `attention_3.head_2`; NaN where no token of the texts could tell.

    `chance` are those of a head that looks evenly at all it sees. `threshold` is a share of attention.
    """

    model_id: str
    subject: str
    threshold: float
    tokens: int
    scores: dict[str, Scores]
    chance: Scores

    def kinds(self, head: str) -> list[str]:
        """What a head is called: every score at or above the threshold, the largest first."""
        if head not in self.scores:
            raise UnknownPartError(f"{head!r} is no head that was read.", f"Nearest: {nearest(head, self.scores)}.")
        mine = self.scores[head]
        return sorted((kind for kind in SHARES if mine[kind] >= self.threshold), key=lambda kind: -mine[kind])

    def of_kind(self, kind: str) -> list[str]:
        """The heads of one kind, the surest first."""
        _demand(kind, SHARES)
        found = [head for head, mine in self.scores.items() if mine[kind] >= self.threshold]
        return sorted(found, key=lambda head: -self.scores[head][kind])

    def frame(self) -> pd.DataFrame:
        """One row a head, one column a score."""
        rows = [[*(mine[name] for name in SCORES), ", ".join(self.kinds(head))] for head, mine in self.scores.items()]
        return framed("head", self.scores, [*SCORES, "kinds"], rows)

    def plot(self, score: str = "induction", ax: Axes | None = None) -> Plot:
        """One score, layers by heads."""
        from ...view.plots import grid

        _demand(score, SCORES)
        rows: dict[str, list[float]] = {}
        for head, mine in self.scores.items():
            rows.setdefault(head.partition(".")[0], []).append(mine[score])
        widest = max(map(len, rows.values()))
        values = [row + [float("nan")] * (widest - len(row)) for row in rows.values()]
        label = f"{LABELS[score]}, share" if score in SHARES else LABELS[score]
        top = 1.0 if score in SHARES else None
        drawn = grid(list(rows), [str(head) for head in range(widest)], values, label, across="head", top=top, ax=ax)
        return Plot(drawn, f"{label} of {len(self.scores)} heads of {self.model_id}", self.frame)

    def picture(self) -> Table:
        """The heads that have a kind first, the surest on top."""
        heads = sorted(self.scores, key=self._surety, reverse=True)[:SHOWN]
        columns = [Column(f"is, from {self.threshold:g}", [", ".join(self.kinds(head)) or "–" for head in heads])]
        columns += [Column(_short(name), [self.scores[head][name] for head in heads]) for name in SCORES]
        even_head = ", ".join(f"{_short(name)} {number(self.chance[name])}" for name in SHARES)
        rest = len(self.scores) - len(heads)
        more = f" · {rest:,} more heads in .frame()" if rest else ""
        caption = f"{self.tokens:,} tokens; an even head has {even_head}{more}"
        return Table(heads, columns, title=self.subject, caption=caption)

    def _surety(self, head: str) -> float:
        return max((self.scores[head][kind] for kind in self.kinds(head)), default=0.0)


def heads(
    lifted: Lifted,
    prompts: Prompt | None = None,
    edits: Sequence[Tap] = (),
    layers: Selector = "attention_*",
    *,
    threshold: float = THRESHOLD,
    length: int = LENGTH,
    seed: int = 0,
) -> Heads:
    """Every head of the parts named, over all tokens of all texts; DRAWS repeated random ones when none are given.

    InputError for a threshold that is no share, and for cross-attention, whose keys are of another text.
    """
    if not 0 < threshold <= 1:
        raise InputError(
            f"{threshold:g} is no share of attention.", f"Give a number from 0 to 1; usual is {THRESHOLD}."
        )
    names = _one_stack(attending(lifted.spec, layers))
    texts = repeated(lifted, length, seed) if prompts is None else each_prompt(prompts, lifted)
    read = _read(lifted, texts, edits, names)
    scores: dict[str, Scores] = {
        f"{name}.head_{place}": dict(zip(SCORES, row, strict=True))
        for name, rows in read.means.items()
        for place, row in enumerate(rows.tolist())
    }
    subject = _subject(lifted, prompts, texts, length)
    return Heads(lifted.spec.model_id, subject, threshold, read.tokens, scores, read.chance)


def repeated(lifted: Lifted, length: int = LENGTH, seed: int = 0) -> list[Batch]:
    """Texts of `length` random tokens said twice, no token twice in one saying, behind the tokenizer's own start.

    Special tokens are not drawn. InputError for fewer than two tokens, or more than the vocabulary or positions have.
    """
    special = set(getattr(lifted.tokenizer, "all_special_ids", ()))
    known = torch.tensor([token for token in range(lifted.spec.vocab_size) if token not in special])
    if not 2 <= length <= len(known):
        raise InputError(f"{length} random tokens cannot be said twice.", f"Ask for 2 to {len(known):,}.")
    generator, start = seeded(seed), _start(lifted)
    draws = [known[torch.randperm(len(known), generator=generator)[:length]] for _ in range(DRAWS)]
    rows = [torch.cat([start, drawn, drawn])[None] for drawn in draws]
    writes = getattr(getattr(lifted.model, "config", None), "is_encoder_decoder", False)
    given = [{"input_ids": row, **({"decoder_input_ids": row} if writes else {})} for row in rows]
    return [prepare(each, lifted.model, lifted.tokenizer) for each in given]


def _start(lifted: Lifted) -> Tensor:
    """The special tokens that the tokenizer puts before a text."""
    if lifted.tokenizer is None:
        return torch.empty(0, dtype=torch.long)
    special, ids = set(lifted.tokenizer.all_special_ids), lifted.tokenizer("a")["input_ids"]
    first = next((place for place, token in enumerate(ids) if token not in special), 0)
    return torch.tensor(ids[:first], dtype=torch.long)


@dataclass(frozen=True, eq=False)
class _Means:
    """Over all tokens of all texts: by part (heads, scores), and of an even head."""

    means: dict[str, Tensor]
    chance: Scores
    tokens: int


def _read(lifted: Lifted, texts: Sequence[Batch], edits: Sequence[Tap], names: Sequence[str]) -> _Means:
    """One pass a text; nothing of its patterns is kept but sums."""
    sums, counts = dict[str, Tensor](), torch.zeros(len(SCORES), dtype=torch.float64)
    wanted = [Wanted(ids_of(batch, names)) for batch in texts]
    for batch, one in zip(texts, wanted, strict=True):
        demand_room(lifted.spec, batch, names[:1])
        counts += one.counts.cpu()
        for name, found in patterns(lifted, batch, edits, names, one.sums).items():
            sums[name] = found.weights.double() + sums.get(name, 0)
    causal = not any(bool(total[:, AHEAD].any()) for total in sums.values())
    chance = sum(one.sums(even(one.tokens, causal=causal))[0, :AHEAD].cpu() for one in wanted) / counts
    means = {name: total[:, :AHEAD] / counts for name, total in sums.items()}
    return _Means(means, dict(zip(SCORES, chance.tolist(), strict=True)), int(counts[-1]))


def _one_stack(names: list[str]) -> list[str]:
    addresses = [address for name in names if (address := parse(name)) is not None]
    crossing = [str(address) for address in addresses if address.kind != "attention"]
    if crossing:
        raise InputError(f"{crossing[0]} looks at another text, where no token is the one before.", "Name attention_*.")
    if len({address.stack for address in addresses}) > 1:
        raise InputError(
            "Heads of the encoder and of the decoder read different texts.", "Ask for one after the other."
        )
    return names


def _subject(lifted: Lifted, prompts: Prompt | None, texts: Sequence[Batch], length: int) -> str:
    if prompts is None:
        return f"{length} random tokens said twice, {len(texts)} times"
    return said_together(prompts, texts, Words(lifted.tokenizer))


def _short(score: str) -> str:
    return score.removesuffix("_token").replace("_", " ")


def _demand(score: str, known: Sequence[str]) -> None:
    if score not in known:
        raise InputError(f"There is no score {score!r} of heads.", f"There are: {', '.join(known)}.")
