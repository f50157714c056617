"""The statistics asked of every player that has none of its own."""

from __future__ import annotations

import torch
from torch import Tensor

NEAR_ZERO = 0.1  # standard deviations


def numbers(hidden: Tensor) -> Tensor:
    """Mean, standard deviation, mean length of a token's vector, share of entries near zero: (4,), on its device."""
    wide = hidden.float()
    std, mean = torch.std_mean(wide, correction=0)
    length = torch.linalg.vector_norm(wide, dim=-1).mean()
    near = torch.count_nonzero(wide.abs() <= NEAR_ZERO * std) / wide.numel()
    return torch.stack([mean, std, length, near])


def table(rows: list[Tensor]) -> Tensor:
    """(layers, 4) on the host: the one transfer."""
    return torch.stack(rows).cpu()
