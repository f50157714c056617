"""Deltas: how other models differ from their base. They are thinned, weighted, summed, and added to it.

The precision is that of the tensors. Ilharco et al. 2023 have the sum, Yadav et al. 2023 (TIES) the election of signs,
Yu et al. 2024 (DARE) the thinning by chance.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import BuildError, InputError
from .blend import Blend, Spot
from .value import ONE, Value, Values

SMALL = 1e-8  # weights whose sum is at most this far from 0 are not divided by it


@dataclass(frozen=True)
class Deltas(Blend):
    """`weight` is of each other model; `own` is the base. `lambda` multiplies what is added to it in the end."""

    weight: Values
    lambda_: Value = ONE
    normalize: bool = False

    def demand(self, others: int) -> None:
        if not others:
            raise BuildError(f"{self.method} has no model besides the base.", "Name at least one more.")
        self._demand_each("weight", self.weight, others)

    def _mixed(self, tensors: list[Tensor], spot: Spot) -> Tensor:
        base, count = tensors[0], len(tensors) - 1
        deltas = base.new_empty((count, *base.shape))
        for i, delta in enumerate(self._thinned((tensor - base for tensor in tensors[1:]), count, spot)):
            deltas[i] = delta
        said = self._each(self.weight, count, spot, first=1)
        weights = torch.tensor(said, dtype=base.dtype, device=base.device).reshape(-1, *[1] * base.ndim)
        deltas.mul_(weights)
        added, total = self._summed(deltas, weights)
        if self.normalize:
            added /= total
        factor = self.lambda_.at(spot.tensor, spot.depth)
        return base + (added if factor == 1 else added * factor)

    @abstractmethod
    def _thinned(self, deltas: Iterable[Tensor], count: int, spot: Spot) -> Iterable[Tensor]:
        """With many numbers set to 0, or as they are. One of so many at a time, to save memory."""

    @abstractmethod
    def _summed(self, deltas: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Of weighted deltas (others, ...) and their weights (others, 1, ...): the sum, and what would norm it."""


def plain_sum(deltas: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    total = weights.sum(dim=0)
    return deltas.sum(dim=0), total.where(total.abs() >= SMALL, 1)


def elected_sum(deltas: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Of those that have the sign of the sum of all, number by number; a sum of 0 counts as positive."""
    agree = deltas.sign() == torch.where(deltas.sum(dim=0) >= 0, 1, -1)
    total = (weights * agree).sum(dim=0)
    return (deltas * agree).sum(dim=0), total.where(total != 0, 1)


def demand_shares(name: str, numbers: Values) -> None:
    """InputError for what is no share of a whole."""
    for value in numbers:
        if not all(0 <= number <= 1 for number in value.numbers):
            raise InputError(f"A {name} of {value} is no share.", "Give a number from 0 to 1.")
