"""Synergy: two interventions together do more than the sum of each, and more than twice the dose of either does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..contrast import Contrast, interaction
from ..measure import LOG_PROB, Measure
from ..outcomes import Outcomes
from .hurdle import Hurdle, rising
from .rule import Rule, measured

SYNERGY, INTERFERENCE = 1, -1


@dataclass(frozen=True, kw_only=True)
class Synergy(Rule):
    """By log-probability, as shares have ceilings. `twice_a` is `a` two times over: the dose control, as two of
    anything do more, or less, than the sum. With `order` −1 it is interference: less instead of more. `beside` is one
    that is unlike `b` only in what the claim is about, and that with `a`: what those do as well is no matter of it.
    """

    none: str
    a: str
    b: str
    both: str
    twice_a: str
    twice_b: str
    margin: float
    order: int = SYNERGY
    beside: tuple[str, str] | None = None
    measure: Measure = LOG_PROB

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.none, self.a, self.b, self.both, self.twice_a, self.twice_b, *(self.beside or ()))

    @property
    def said(self) -> str:
        less = "" if self.order == SYNERGY else ", with the sign turned"
        return f"{self.measure.defined}: {self._together.said}; the same less that of {self._controls}{less}"

    def hurdles(self, outcomes: Outcomes, places: Sequence[int], seed: int) -> tuple[Hurdle, ...]:
        controls = [interaction(self.none, one, one, two) for one, two in self._twice]
        if self.beside is not None:
            controls.append(interaction(self.none, self.a, *self.beside))
        wanted = [self._together, *(self._together - control for control in controls)]
        asked = [(self.measure, one if self.order == SYNERGY else -one) for one in wanted]
        return rising(measured(outcomes, asked, places, seed), self.margin)

    @property
    def _together(self) -> Contrast:
        return interaction(self.none, self.a, self.b, self.both)

    @property
    def _twice(self) -> tuple[tuple[str, str], ...]:
        return (self.a, self.twice_a), (self.b, self.twice_b)

    @property
    def _controls(self) -> str:
        unlike = () if self.beside is None else self.beside[1:]
        return ", of ".join((self.twice_a, self.twice_b, *unlike))
