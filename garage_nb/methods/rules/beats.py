"""Beats: a treatment is better than every control, each of which would do without what the claim is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import InputError
from ..contrast import difference
from ..measure import ACCURACY, Measure
from ..outcomes import Outcomes
from .hurdle import Hurdle, Witness, rising
from .rule import Rule, measured


@dataclass(frozen=True, kw_only=True)
class Beats(Rule):
    """By `margin` or more to matter. Every one must be beaten, so p is the largest (Berger 1982) and needs no more.

    A `witness` is a pair of arms that are known to differ: where the second is not beaten by the first, nothing can be
    told by these items, and the rest is not asked.
    """

    treatment: str
    controls: tuple[str, ...]
    margin: float
    measure: Measure = ACCURACY
    witness: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if not self.controls:
            raise InputError(f"There is nothing that {self.treatment} must beat.", "Name a control, or several.")

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.treatment, *self.controls, *(self.witness or ()))

    @property
    def said(self) -> str:
        known = f", where {self.witness[0]} is above {self.witness[1]}" if self.witness else ""
        return f"{self.measure.defined}: {self.treatment} less each of {', '.join(self.controls)}{known}"

    def hurdles(self, outcomes: Outcomes, places: Sequence[int], seed: int) -> tuple[Hurdle, ...]:
        pairs = [difference(self.treatment, control) for control in self.controls]
        known = [difference(*self.witness)] if self.witness else []
        asked = [(self.measure, pair) for pair in (*pairs, *known)]
        found = measured(outcomes, asked, places, seed)
        witnesses = [Witness(one, self.margin) for one in found[len(pairs) :]]
        if unseen := [one for one in witnesses if not one.passed]:
            return tuple(unseen)
        return (*rising(found[: len(pairs)], self.margin), *witnesses)
