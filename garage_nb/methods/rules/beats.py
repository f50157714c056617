"""Beats: a treatment is better than every control, each of which would do without what the claim is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import InputError
from ..contrast import difference
from ..measure import ACCURACY, Measure
from ..outcomes import Outcomes
from .hurdle import Hurdle, rising
from .rule import Rule, measured


@dataclass(frozen=True, kw_only=True)
class Beats(Rule):
    """By `margin` or more to matter. Every one must be beaten, so p is the largest (Berger 1982) and needs no more."""

    treatment: str
    controls: tuple[str, ...]
    margin: float
    measure: Measure = ACCURACY

    def __post_init__(self) -> None:
        if not self.controls:
            raise InputError(f"There is nothing that {self.treatment} must beat.", "Name a control, or several.")

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.treatment, *self.controls)

    @property
    def said(self) -> str:
        return f"{self.measure.defined}: {self.treatment} less each of {', '.join(self.controls)}"

    def hurdles(self, outcomes: Outcomes, places: Sequence[int], seed: int) -> tuple[Hurdle, ...]:
        pairs = [(self.measure, difference(self.treatment, control)) for control in self.controls]
        return rising(measured(outcomes, pairs, places, seed), self.margin)
