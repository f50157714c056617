"""Moves without: a treatment moves one thing and leaves another where it was, such as a router's share and accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..contrast import difference
from ..measure import ACCURACY, Measure
from ..outcomes import Outcomes
from .hurdle import Hurdle, Rises, Stays
from .rule import Rule, measured


@dataclass(frozen=True, kw_only=True)
class MovesWithout(Rule):
    """Against one control. `moved` must rise, `measure` must be shown to stay within its margin: not to be found to
    move is not enough.
    """

    treatment: str
    control: str
    moved: Measure
    moved_margin: float
    margin: float
    measure: Measure = ACCURACY

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.treatment, self.control)

    @property
    def said(self) -> str:
        pair = difference(self.treatment, self.control).said
        return f"{pair}: {self.moved.defined}, which must rise; {self.measure.defined}, which must stay"

    def hurdles(self, outcomes: Outcomes, places: Sequence[int], seed: int) -> tuple[Hurdle, ...]:
        pair = difference(self.treatment, self.control)
        asked = [(one, replace(pair, said=f"{one.name} of {pair.said}")) for one in (self.moved, self.measure)]
        moved, still = measured(outcomes, asked, places, seed)
        return Rises(moved, self.moved_margin), Stays(still, self.margin)
