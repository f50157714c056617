"""Trials: several claims tried together, with the p of each adjusted over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..view.bars import Column, Table
from ..view.frames import framed
from ..view.shown import Shown
from .trial import Trial, as_family
from .verdict import said_p

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("ruling", "effect", "low", "high", "p", "p_bh", "smallest", "why")


@dataclass(frozen=True, eq=False, repr=False)
class Trials(Shown):
    """In their order; `of` makes one of trials that were run apart."""

    trials: tuple[Trial, ...]

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> Trials:
        return cls(tuple(as_family(trials)))

    def __getitem__(self, key: str) -> Trial:
        return {one.claim.key: one for one in self.trials}[key]

    def frame(self) -> pd.DataFrame:
        """One row a claim, with the hurdle that decided; p_bh is adjusted over all of them."""
        rows = []
        for one in self.trials:
            verdict, effect = one.verdict, one.verdict.hurdle.effect
            told = (effect.value, effect.low, effect.high, verdict.p, verdict.adjusted, effect.smallest, verdict.why)
            rows.append((verdict.ruling, *told))
        return framed("claim", [one.claim.key for one in self.trials], COLUMNS, rows)

    def picture(self) -> Table:
        verdicts = [one.verdict for one in self.trials]
        columns = [
            Column("", [one.ruling for one in verdicts]),
            Column("p, adjusted", [said_p(one.adjusted) for one in verdicts]),
            Column("what decided", [one.why for one in verdicts]),
        ]
        names = [one.claim.key for one in self.trials]
        return Table(names, columns, caption=f"{len(names)} claims; p adjusted by Benjamini and Hochberg")
