"""Correlates over pairs: as `Correlates`, where every arm is a pair of two things out of a few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from ..measure import Measure
from ..outcomes import Outcomes
from ..statistics.pair_correlation import Pair, pair_correlation
from .hurdle import Hurdle, rising
from .rule import Rule, halves


@dataclass(frozen=True, kw_only=True)
class CorrelatesOverPairs(Rule):
    """`among` says of each arm which two things, by number from 0 on, it is a pair of; all ordered pairs are there.
    The two measures are read off different halves of the items, and what is unsure is counted by things, not pairs.
    """

    among: tuple[tuple[str, Pair], ...]
    by: Measure
    measure: Measure
    margin: float

    def __post_init__(self) -> None:
        if len({one for _, pair in self.among for one in pair}) < 3:
            raise InputError(f"{len(self.among)} pairs are too few to be put in order.", "Pair three things or more.")

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(arm for arm, _ in self.among)

    @property
    def said(self) -> str:
        things = len({one for _, pair in self.among for one in pair})
        measures = f"{self.by.defined} by every other item, and {self.measure.defined} by the rest"
        return f"Spearman's correlation over all {len(self.among)} pairs of {things}: {measures}; relabelled (Mantel)"

    def hurdles(self, outcomes: Outcomes, places: Sequence[int], seed: int) -> tuple[Hurdle, ...]:
        first, second = halves(outcomes, places)
        x, y = self._means(outcomes, self.by, first), self._means(outcomes, self.measure, second)
        said = f"rank correlation of {self.by.name} and {self.measure.name}"
        return rising([pair_correlation(x, y, [pair for _, pair in self.among], said, seed=seed)], self.margin)

    def _means(self, outcomes: Outcomes, measure: Measure, places: Sequence[int]) -> Float[Tensor, " arms"]:
        arms = [outcomes.arms.index(arm) for arm in self.arms]
        return outcomes.of_measure(measure)[:, arms][:, :, list(places)].mean((0, 2))
