"""Dose–response: the more there is of something, the larger the effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..contrast import slope
from ..measure import ACCURACY, Measure
from ..outcomes import Outcomes
from .hurdle import Hurdle, rising
from .rule import Rule, measured


@dataclass(frozen=True, kw_only=True)
class DoseResponse(Rule):
    """`doses` by arm, known before the run; the slope is per unit of dose, and so is the margin."""

    doses: tuple[tuple[str, float], ...]
    margin: float
    measure: Measure = ACCURACY

    def __post_init__(self) -> None:
        slope(dict(self.doses))

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(arm for arm, _ in self.doses)

    @property
    def said(self) -> str:
        return f"{self.measure.defined}: least-squares slope over the doses of {len(self.doses)} arms"

    def hurdles(self, outcomes: Outcomes, places: Sequence[int], seed: int) -> tuple[Hurdle, ...]:
        asked = [(self.measure, slope(dict(self.doses)))]
        return rising(measured(outcomes, asked, places, seed), self.margin)
