"""Moves without: a treatment moves one thing and leaves another where it was, such as a router's share and accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...errors import InputError
from ..contrast import Contrast, difference
from ..measure import ACCURACY, Measure
from ..outcomes import Outcomes
from .hurdle import Hurdle, Stays, rising
from .rule import Rule, measured


@dataclass(frozen=True, kw_only=True)
class MovesWithout(Rule):
    """`moved` must be above that of every control: what any treatment of the kind moves is no effect of this one.
    `measure` must be shown to stay within its margin of the `untouched`: not to be found to move is not enough.
    """

    treatment: str
    controls: tuple[str, ...]
    untouched: str
    moved: Measure
    moved_margin: float
    margin: float
    measure: Measure = ACCURACY

    def __post_init__(self) -> None:
        if not self.controls:
            raise InputError(f"There is nothing that {self.treatment} must beat.", "Name a control, or several.")

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.treatment, self.untouched, *self.controls)

    @property
    def said(self) -> str:
        rises = f"{self.moved.defined}: {self.treatment} less each of {', '.join(self.controls)}, which must rise"
        return f"{rises}; {self.measure.defined}: {self.treatment} less {self.untouched}, which must stay"

    def hurdles(self, outcomes: Outcomes, places: Sequence[int], seed: int) -> tuple[Hurdle, ...]:
        asked = [(self.moved, self._over(self.moved, control)) for control in self.controls]
        still = (self.measure, self._over(self.measure, self.untouched))
        *moved, stays = measured(outcomes, [*asked, still], places, seed)
        return (*rising(moved, self.moved_margin), Stays(stays, self.margin))

    def _over(self, measure: Measure, other: str) -> Contrast:
        pair = difference(self.treatment, other)
        return replace(pair, said=f"{measure.name} of {pair.said}")
