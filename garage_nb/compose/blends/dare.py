"""DARE: drop changes by chance and make the rest up for them (Yu et al. 2024), summed plainly or as TIES does.

What is made up is the sum of absolute values of each tensor's changes, as mergekit has it, not a factor 1 / density.
The numbers drawn are mergekit's for the same `seed` (see `drawing`), but for the fused experts of a mixture, which it
asks out of turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ...core.seed import seeded
from .blend import Spot
from .deltas import Deltas, demand_shares, elected_sum, plain_sum
from .drawing import stream
from .thinning import by_chance
from .value import ONE, Values


@dataclass(frozen=True)
class Dare(Deltas):
    """`density` is the chance of each change to be kept; `rescale` makes up for those that are not."""

    density: Values = (ONE,)
    rescale: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        demand_shares("density", self.density)
        seeded(self.seed)

    def demand(self, others: int) -> None:
        super().demand(others)
        self._demand_each("density", self.density, others)

    def _thinned(self, deltas: Iterable[Tensor], count: int, spot: Spot) -> Iterable[Tensor]:
        draw = stream(self.seed)
        density = self._each(self.density, count, spot, first=1)
        return (by_chance(delta, share, self.rescale, draw) for delta, share in zip(deltas, density, strict=True))


@dataclass(frozen=True)
class DareLinear(Dare):
    """The changes that are left are summed."""

    method: ClassVar[str] = "dare_linear"

    def _summed(self, deltas: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        return plain_sum(deltas, weights)


@dataclass(frozen=True)
class DareTies(Dare):
    """Of the changes that are left, those are summed that have the elected sign."""

    method: ClassVar[str] = "dare_ties"

    def _summed(self, deltas: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        return elected_sum(deltas, weights)
