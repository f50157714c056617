"""Similarity: how alike what passes several places is, in one model or two, and how far the stream drifts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...core.batch import Prompt
from ...core.sites import Tap
from ...errors import InputError
from ...registry.lift import Lifted, lift
from ...registry.selecting import Selector
from ...view.bars import Column, Table
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..causal.states import demand_room, states
from ..texts.prompt import Words
from ..texts.prompts import each_prompt, said_together
from .alike import Rows, cosines, growths, mean, steps, table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LABELS = {"cosine": "cosine, mean over tokens", "cka": "linear CKA over tokens"}
SHOWN = 40  # rows of a table; the frame holds them all


@dataclass(frozen=True)
class Drift:
    """From one place to the next; alike.py defines each. NaN where the widths differ."""

    start: str
    end: str
    cosine: float
    step: float
    growth: float


@dataclass(frozen=True, eq=False, repr=False)
class Similarity(Drawn):
    """`values[measure]` are rows by columns: of one model with itself, or of two. `tokens` is how many were read.

    `drift` is from each row to the next, in the first model.
    """

    model_id: str
    other_id: str
    subject: str
    tokens: int
    width: int
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: dict[str, list[list[float]]]
    drift: tuple[Drift, ...]

    def between(self, row: str, column: str, measure: str = "cka") -> float:
        """One number. InputError for a place that was not read."""
        if row not in self.rows or column not in self.columns:
            raise InputError(f"{row} and {column} were not compared.", f"There are: {', '.join(self.rows)}.")
        return self._of(measure)[self.rows.index(row)][self.columns.index(column)]

    def frame(self) -> pd.DataFrame:
        """One row a pair of places."""
        pairs = [(row, column) for row in self.rows for column in self.columns]
        told = [[self.between(*pair, measure) for measure in LABELS] for pair in pairs]
        return framed(("part", "other"), pairs, list(LABELS), told)

    def plot(self, measure: str = "cka", ax: Axes | None = None) -> Plot:
        """Places by places."""
        from ...view.plots import grid

        values, label = self._of(measure), LABELS[measure]
        across = "" if self.model_id == self.other_id else self.other_id
        drawn = grid(self.rows, self.columns, values, label, across=across, top=1.0, ax=ax)
        return Plot(drawn, f"{label} of {len(self.rows)} by {len(self.columns)} places, {self.subject}", self.frame)

    def picture(self) -> Table:
        """Of one model the drift from place to place, of two the places of the other that are most alike."""
        bias = "" if self.tokens > self.width else ", CKA biased upwards by few tokens"
        caption = f"{self._named()} · {self.tokens:,} tokens of {self.width} dimensions{bias}"
        columns = self._drifting() if self.model_id == self.other_id else self._nearest()
        return Table(self.rows[:SHOWN], columns, title=self.subject, caption=caption)

    def _drifting(self) -> list[Column]:
        steps = [Drift("", "", float("nan"), float("nan"), float("nan")), *self.drift][:SHOWN]
        cka = [float("nan"), *(self.between(one.start, one.end) for one in self.drift)][:SHOWN]
        return [
            Column("cosine to the place before", [one.cosine for one in steps]),
            Column("CKA to it", cka),
            Column("step ‖Δ‖ / ‖x‖", [one.step for one in steps], bar=True),
            Column("growth ‖y‖ / ‖x‖", [one.growth for one in steps]),
        ]

    def _nearest(self) -> list[Column]:
        rows = range(min(len(self.rows), SHOWN))
        best = [max(range(len(self.columns)), key=self.values["cka"][row].__getitem__) for row in rows]
        return [
            Column("most alike by CKA", [self.columns[place] for place in best]),
            Column("CKA", [self.values["cka"][row][place] for row, place in enumerate(best)], bar=True, top=1.0),
            Column("cosine", [self.values["cosine"][row][place] for row, place in enumerate(best)]),
        ]

    def _named(self) -> str:
        return self.model_id if self.model_id == self.other_id else f"{self.model_id} and {self.other_id}"

    def _of(self, measure: str) -> list[list[float]]:
        if measure not in LABELS:
            raise InputError(f"There is no similarity {measure!r}.", f"There are: {', '.join(LABELS)}.")
        return self.values[measure]


def similarity(
    lifted: Lifted, prompts: Prompt, edits: Sequence[Tap] = (), layers: Selector = "layer_*", *, other: Any = None
) -> Similarity:
    """Every place named against every other, or against those of the untouched `other` model, which reads the same
    tokens. InputError where their tokens differ, or for places that do not hold one row a token of the same text.
    """
    guest = lifted if other is None else lift(other)
    mine, subject = read_rows(lifted, prompts, edits, layers)
    theirs = mine
    if other is not None:
        _demand_same_tokens(lifted, guest, prompts)
        theirs, _ = read_rows(guest, prompts, (), layers)
    first = next(iter(mine.values()))
    names = list(mine)
    drift = tuple(
        Drift(a, b, *map(mean, (cosines(x, y), steps(x, y), growths(x, y))))
        for (a, x), (b, y) in zip(list(mine.items())[:-1], list(mine.items())[1:], strict=True)
    )
    return Similarity(
        lifted.spec.model_id, guest.spec.model_id, subject, first.tokens, first.width, tuple(names), tuple(theirs),
        table(list(mine.values()), list(theirs.values())), drift,
    )  # fmt: skip


def read_rows(lifted: Lifted, prompts: Prompt, edits: Sequence[Tap], layers: Selector) -> tuple[dict[str, Rows], str]:
    """Place -> the rows of all tokens of all prompts, padding left out; and what the first prompt says."""
    names, batches = lifted.spec.usable(layers), each_prompt(prompts, lifted)
    demand_room(lifted, sum(batch.input_ids.shape[1] for batch in batches), names)
    found: dict[str, list[Tensor]] = {name: [] for name in names}
    for batch in batches:
        for name, read in states(lifted, batch, edits, names).rows.items():
            found[name].append(read.cpu())
    rows = {name: Rows(torch.cat(pieces)) for name, pieces in found.items()}
    _demand_one_text(rows)
    return rows, said_together(prompts, batches, Words(lifted.tokenizer))


def _demand_same_tokens(lifted: Lifted, guest: Lifted, prompts: Prompt) -> None:
    for mine, theirs in zip(each_prompt(prompts, lifted), each_prompt(prompts, guest), strict=True):
        a, b = mine.input_ids.cpu(), theirs.input_ids.cpu()
        if not torch.equal(a, b):
            raise InputError(
                f"{lifted.spec.model_id} reads {a.shape[1]} tokens and {guest.spec.model_id} {b.shape[1]}, or others.",
                "Compare models of one tokenizer: tokens are compared one by one.",
            )


def _demand_one_text(rows: dict[str, Rows]) -> None:
    counts = {name: one.tokens for name, one in rows.items()}
    (first, count), *rest = counts.items()
    for name, other in rest:
        if other != count:
            raise InputError(
                f"{first} holds {count} tokens and {name} {other}.", "Name places of one stack: they read one text."
            )
