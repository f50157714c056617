"""TensorUtils: the statistics and distances of single tensors, in float64."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from .stats import TAU, Statistics, reduce, rows_of


class TensorUtils:
    """Static helpers. Tensors of any shape; the last axis is the hidden dimension."""

    @staticmethod
    def stats(tensor: Tensor, tau: float = TAU) -> dict[str, Any]:
        """Every statistic of `core.stats` by name, with shape and dtype. Empty tensors are an InputError."""
        if tensor.numel() == 0:
            raise InputError(f"The tensor is empty: {tuple(tensor.shape)}.", "Give one with at least one entry.")
        numbers = Statistics.from_row(reduce(rows_of(tensor), tau).tolist()).as_dict()
        return {**numbers, "tau": tau, "shape": tuple(tensor.shape), "dtype": str(tensor.dtype)}

    @staticmethod
    def cosine_similarity(a: Tensor, b: Tensor) -> float:
        """Cosine of the angle between two tensors taken as single vectors; NaN when one is zero."""
        x, y = _pair(a, b)
        return float(x @ y / (x.norm() * y.norm()))

    cosine_sim = cosine_similarity

    @staticmethod
    def l2_distance(a: Tensor, b: Tensor) -> float:
        """Euclidean distance between two tensors taken as single vectors."""
        x, y = _pair(a, b)
        return float((x - y).norm())


def _pair(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    if a.shape != b.shape:
        raise InputError(f"Shapes differ: {tuple(a.shape)} and {tuple(b.shape)}.", "Compare tensors of one shape.")
    return a.detach().reshape(-1).to(torch.float64), b.detach().reshape(-1).to(torch.float64)
