"""Debates: how the forms of a debate did beside what they must beat, item by item in pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from ...inject.debating.debating import NOISE, Debating
from ...view.bars import Column, Table
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..bootstrap import Interval, bootstrap
from ..judging.redrawn import Estimate
from ..judging.shares import of_paired_shares, of_shares
from .arms import UNTOUCHED

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MEASURES = {
    "accuracy": "accuracy, share of items",
    "log_prob": "log-probability of the answers, nats per item",
    "brier": "Brier score, (sure − right)², less is better",
    "overconfidence": "overconfidence, sure − right, 0 is best",
    "flipped": "items right here and wrong untouched, or the other way round",
    "disagreement": "items on whose tokens perspectives, or draws, are not of one mind",
}
SHARES = ("accuracy", "flipped", "disagreement")
_SHOWN = {"Brier": "brier", "too sure": "overconfidence", "flipped": "flipped", "apart": "disagreement"}
COLUMNS = ("value", "low", "high", "change", "change_low", "change_high")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Debates(Drawn):
    """`measures` by name, (items, arms), each a mean over `draws`; NaN where an arm has no such thing: a vote has no
    probabilities, one stream disagrees with nobody. `passes` of the model were run for a token.

    Sure is the probability of what was written at the answers' places, of a vote its share of the draws. Intervals are
    at 95 %: of shares of items Wilson's, of their change Bonett and Price's, of the rest by redrawing items, those of a
    change in pairs; they hold for items like these, not for other seeds. What an arm changes over itself has none.
    `gates` says what gates there were, empty where nothing was gated.
    """

    model_id: str
    debating: Debating
    arms: tuple[str, ...]
    passes: tuple[int, ...]
    domains: tuple[str, ...]
    measures: Mapping[str, Float[Tensor, "items arms"]]
    draws: int
    edits: int = 0
    seed: int = 0
    gates: str = ""

    def value(self, measure: str) -> Interval:
        """The mean of each arm."""
        found = self._measure(measure)
        return of_shares(found) if measure in SHARES else bootstrap(found, seed=self.seed)

    def change(self, measure: str, than: str = UNTOUCHED) -> Interval:
        """Of each arm over another, item by item."""
        if than not in self.arms:
            raise InputError(f"There is no arm {than!r}.", f"There are: {', '.join(self.arms)}.")
        found = self._measure(measure)
        at = self.arms.index(than)
        moved = found - found[:, at : at + 1]
        sure = of_paired_shares(moved) if measure in SHARES else bootstrap(moved, seed=self.seed)
        itself = torch.arange(len(self.arms)) == at
        low, high = (end.masked_fill(itself, math.nan) for end in (sure.low, sure.high))
        return replace(sure, low=low, high=high)

    def frame(self, than: str = UNTOUCHED) -> pd.DataFrame:
        """One row a measure and arm, with its change over the arm `than`."""
        keys = [(measure, arm) for measure in self.measures for arm in self.arms]
        rows = []
        for measure in self.measures:
            value, change = self.value(measure), self.change(measure, than)
            columns = (value.mean, value.low, value.high, change.mean, change.low, change.high)
            rows += list(zip(*(column.tolist() for column in columns), strict=True))
        return framed(("measure", "arm"), keys, COLUMNS, rows)

    def by_domain(self, measure: str = "accuracy") -> pd.DataFrame:
        """One row a domain, one column an arm."""
        found, names = self._measure(measure), list(dict.fromkeys(self.domains))
        mine = [[domain == name for domain in self.domains] for name in names]
        return framed("domain", names, self.arms, [found[one].mean(0).tolist() for one in mine])

    def plot(self, measure: str = "accuracy", ax: Axes | None = None) -> Plot:
        """The change of every arm over the untouched model, with its interval."""
        from ...view.bands import bands

        change = self.change(measure)
        ends = zip(self.arms, change.mean.tolist(), change.low.tolist(), change.high.tolist(), strict=True)
        drawn = {name: Estimate(*row) for name, *row in ends if name != UNTOUCHED}
        label = f"change in {MEASURES[measure]}, 95\u00a0%"
        picture = bands({"over untouched": drawn}, label, ax=ax)
        return Plot(picture, f"{label}; {', '.join(drawn)}; {self._counted}, {self.model_id}", lambda: self.frame())

    def picture(self) -> Table:
        accuracy, change = self.value("accuracy"), self.change("accuracy")
        columns = [
            Column("accuracy", accuracy.mean.tolist()),
            Column("change", change.mean.tolist()),
            Column("from", change.low.tolist()),
            Column("to", change.high.tolist()),
            Column("log p", self.change("log_prob").mean.tolist()),
            *(Column(head, self.value(name).mean.tolist()) for head, name in _SHOWN.items()),
        ]
        return Table(self.arms, columns, title=self.model_id, caption=self._caption())

    def _caption(self) -> str:
        debating, count = self.debating, len(self.debating.seeds)
        how = f"from {debating.at}, {debating.divergence} {debating.strength:g}, {debating.reconciliation}"
        edits = f" · {self.edits} edit{'s' * (self.edits > 1)} in force" if self.edits else ""
        gates = f" · {self.gates}" if self.gates else ""
        return (
            f"{self._counted}, {count} perspectives {how} · change of accuracy over untouched with its 95 % interval,"
            " of log p in nats per item · one noise: of the variance of the perspectives' mean · merged in place:"
            f" {NOISE} · vote: of {count + 1} draws from one pass · forward passes per token: {self._passes} ·"
            " too sure: sure − right · flipped: right here and wrong untouched, or the other way round · apart: items"
            f" on which perspectives, or draws, differ{gates}{edits}"
        )

    @property
    def _passes(self) -> str:
        """`1 for untouched, one noise; 3 for merged in place`."""
        arms: dict[int, list[str]] = {count: [] for count in sorted(self.passes)}
        for name, count in zip(self.arms, self.passes, strict=True):
            arms[count].append(name)
        return "; ".join(f"{count} for {', '.join(names)}" for count, names in arms.items())

    @property
    def _counted(self) -> str:
        times = f" by {self.draws} draws" if self.draws > 1 else ""
        return f"{len(self.domains):,} items{times}"

    def _measure(self, name: str) -> Float[Tensor, "items arms"]:
        if name not in self.measures:
            raise InputError(f"There is no measure {name!r} of debates.", f"There are: {', '.join(self.measures)}.")
        return self.measures[name]
