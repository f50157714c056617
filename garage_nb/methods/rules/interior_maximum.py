"""Interior maximum: an effect is largest somewhere between the first place and the last, not at an end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ...errors import InputError
from ..contrast import difference
from ..measure import ACCURACY, Measure
from ..outcomes import Outcomes
from .hurdle import Hurdle, rising
from .rule import Rule, halves, measured


@dataclass(frozen=True, kw_only=True)
class InteriorMaximum(Rule):
    """`along` are the arms from the first place to the last. The best one between is chosen by half of the items and
    held against both ends by the others: a place chosen by the items that test it is too good.
    """

    along: tuple[str, ...]
    margin: float
    measure: Measure = ACCURACY

    def __post_init__(self) -> None:
        if len(self.along) < 3:
            raise InputError(f"{len(self.along)} places have none between.", "Name three arms or more, in order.")

    @property
    def arms(self) -> tuple[str, ...]:
        return self.along

    @property
    def said(self) -> str:
        ends = f"{self.along[0]} and {self.along[-1]}"
        return f"{self.measure.defined}: the best place between by every other item, less {ends} by the rest"

    def hurdles(self, outcomes: Outcomes, places: Sequence[int], seed: int) -> tuple[Hurdle, ...]:
        choosing, testing = halves(outcomes, places)
        best = self.best(outcomes, choosing)
        shape = " (monotone: no peak)" if self.rises(outcomes, places) else ""
        ends = [difference(best, end) for end in (self.along[0], self.along[-1])]
        pairs = [(self.measure, replace(one, said=f"{one.said}{shape}")) for one in ends]
        return rising(measured(outcomes, pairs, testing, seed), self.margin)

    def best(self, outcomes: Outcomes, places: Sequence[int]) -> str:
        """Between the ends; the first of equals."""
        found = dict(zip(self.along, self._means(outcomes, places), strict=True))
        return max(self.along[1:-1], key=lambda arm: found[arm])

    def rises(self, outcomes: Outcomes, places: Sequence[int]) -> bool:
        """Whether every place does more than the one before."""
        return all(before < after for before, after in pairwise(self._means(outcomes, places)))

    def _means(self, outcomes: Outcomes, places: Sequence[int]) -> list[float]:
        found = outcomes.of_measure(self.measure)[:, :, list(places)].mean((0, 2))
        return [float(found[outcomes.arms.index(arm)]) for arm in self.along]
