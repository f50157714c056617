"""Correlates: arms that have more of one thing have more of another, by the order they are put in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ..measure import Measure
from ..outcomes import Outcomes
from ..statistics.rank_correlation import rank_correlation
from .hurdle import Hurdle, rising
from .rule import Rule, halves


@dataclass(frozen=True, kw_only=True)
class Correlates(Rule):
    """Spearman's correlation over `among`, of means over items and seeds. The two measures are read off different
    halves of the items: what moves both on the same ones is no relation of the arms.
    """

    among: tuple[str, ...]
    by: Measure
    measure: Measure
    margin: float

    @property
    def arms(self) -> tuple[str, ...]:
        return self.among

    @property
    def said(self) -> str:
        return f"Spearman's correlation over {len(self.among)} arms of {self.by.defined} and {self.measure.defined}"

    def hurdles(self, outcomes: Outcomes, places: Sequence[int], seed: int) -> tuple[Hurdle, ...]:
        first, second = halves(outcomes, places)
        x, y = self._means(outcomes, self.by, first), self._means(outcomes, self.measure, second)
        said = f"rank correlation of {self.by.name} and {self.measure.name}"
        return rising([rank_correlation(x, y, said, seed=seed)], self.margin)

    def _means(self, outcomes: Outcomes, measure: Measure, places: Sequence[int]) -> Float[Tensor, " arms"]:
        arms = [outcomes.arms.index(arm) for arm in self.among]
        return outcomes.of_measure(measure)[:, arms][:, :, list(places)].mean((0, 2))
