"""Linear: the weighted mean, or sum, of several (Wortsman et al. 2022, model soups)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...errors import BuildError
from .blend import Blend, Spot
from .value import Values


@dataclass(frozen=True)
class Linear(Blend):
    """`weight` is of `own` and then of each other; with `normalize` they are divided by their sum."""

    weight: Values
    normalize: bool = True
    method: ClassVar[str] = "linear"

    def demand(self, others: int) -> None:
        self._demand_each("weight", self.weight, 1 + others)

    def _mixed(self, tensors: list[Tensor], spot: Spot) -> Tensor:
        dtype = wide(tensors[0])
        weights = torch.tensor([self._each(self.weight, len(tensors), spot, first=0)], dtype=dtype)
        total = weights.sum(dim=1)
        if self.normalize and not total:
            raise BuildError(f"The weights of {spot.tensor} sum to 0.", "Give others, or say --normalize false.")
        mixed = torch.zeros_like(tensors[0], dtype=dtype)
        for tensor, weight in zip(tensors, weights.to(mixed.device).unbind(1), strict=True):
            mixed.addcmul_(tensor, weight)
        if self.normalize:
            mixed.div_(total.to(mixed.device))
        return mixed.to(tensors[0].dtype)


def wide(tensor: Tensor) -> torch.dtype:
    """float32, or float64 where the tensor is."""
    return torch.promote_types(tensor.dtype, torch.float32)
