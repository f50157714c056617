"""TIES: keep the largest changes, elect a sign for every number, sum those that have it (Yadav et al. 2023)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from .blend import Spot
from .deltas import Deltas, demand_shares, elected_sum
from .thinning import largest
from .value import ONE, Values


@dataclass(frozen=True)
class Ties(Deltas):
    """`density` is the share of each model's changes that is kept; `rescale` makes up for those that are not."""

    normalize: bool = True
    density: Values = (ONE,)
    rescale: bool = False
    method: ClassVar[str] = "ties"

    def __post_init__(self) -> None:
        demand_shares("density", self.density)

    def demand(self, others: int) -> None:
        super().demand(others)
        self._demand_each("density", self.density, others)

    def _thinned(self, deltas: Iterable[Tensor], count: int, spot: Spot) -> Iterable[Tensor]:
        density = self._each(self.density, count, spot, first=1)
        return (largest(delta, share, self.rescale) for delta, share in zip(deltas, density, strict=True))

    def _summed(self, deltas: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        return elected_sum(deltas, weights)
