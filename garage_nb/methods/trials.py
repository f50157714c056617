"""Trials: several claims tried together, with the p of each adjusted over all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING

from ..errors import InputError, nearest
from ..plain import count
from ..view.bars import Column, Table
from ..view.frames import framed
from ..view.shown import Shown
from .trial import Trial, as_family
from .verdict import said_p

if TYPE_CHECKING:
    import pandas as pd

LEFT_OUT = "left out"
COLUMNS = ("ruling", "effect", "low", "high", "p", "p_bh", "smallest", "why")


@dataclass(frozen=True, eq=False, repr=False)
class Trials(Shown):
    """In their order; `of` makes one of trials that were run apart. `left_out` says by claim why it was not tried."""

    trials: tuple[Trial, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, trials: Sequence[Trial], left_out: Mapping[str, str] | None = None) -> Trials:
        return cls(tuple(as_family(trials)), dict(left_out or {}))

    def __getitem__(self, key: str) -> Trial:
        """InputError for a claim that was not tried."""
        tried = {one.claim.key: one for one in self.trials}
        if key in self.left_out:
            raise InputError(f"{key!r} was {LEFT_OUT}: {self.left_out[key]}", f"Tried: {', '.join(tried)}.")
        if key not in tried:
            raise InputError(f"There is no trial of {key!r} here.", f"Nearest: {nearest(key, tried)}.")
        return tried[key]

    def frame(self) -> pd.DataFrame:
        """One row a claim, with the hurdle that decided; p_bh is adjusted over all that were tried."""
        rows: list[tuple[object, ...]] = []
        for one in self.trials:
            verdict, effect = one.verdict, one.verdict.hurdle.effect
            told = (effect.value, effect.low, effect.high, verdict.p, verdict.adjusted, effect.smallest, verdict.why)
            rows.append((verdict.ruling, *told))
        rows += [(LEFT_OUT, *[nan] * (len(COLUMNS) - 2), why) for why in self.left_out.values()]
        return framed("claim", self._keys, COLUMNS, rows)

    def picture(self) -> Table:
        verdicts, left_out = [one.verdict for one in self.trials], self.left_out.values()
        columns = [
            Column("", [*(one.ruling for one in verdicts), *(LEFT_OUT for _ in left_out)]),
            Column("p, adjusted", [*(said_p(one.adjusted) for one in verdicts), *("–" for _ in left_out)]),
            Column("what decided", [*(one.why for one in verdicts), *left_out]),
        ]
        caption = f"{count(len(verdicts), 'claim')}; p adjusted by Benjamini and Hochberg"
        return Table(self._keys, columns, caption=caption)

    @property
    def _keys(self) -> list[str]:
        return [*(one.claim.key for one in self.trials), *self.left_out]
