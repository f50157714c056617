"""Thinning: keep a share of a tensor's numbers and set the others to 0."""

from __future__ import annotations

import torch
from torch import Tensor

SMALL = 1e-7  # sums below this are not divided by


def largest(tensor: Tensor, density: float, rescale: bool) -> Tensor:
    """The largest by size, rounded down but at least one; none for a density of 0."""
    if density >= 1:
        return tensor
    if density <= 0 or not tensor.numel():
        return torch.zeros_like(tensor)
    order = torch.argsort(tensor.abs().reshape(-1).float(), descending=True)
    mask = torch.zeros(tensor.numel(), dtype=tensor.dtype, device=tensor.device)
    mask[order[: max(1, int(density * tensor.numel()))]] = 1
    return _masked(tensor, mask.reshape(tensor.shape), rescale)


def by_chance(tensor: Tensor, density: float, rescale: bool, draw: torch.Generator) -> Tensor:
    """Each by itself with this chance, drawn on the host. Nothing is drawn for a density of 1.

    Works in bfloat16 where that is the dtype, else in float32.
    """
    if density >= 1:
        return tensor
    dtype = torch.bfloat16 if tensor.dtype == torch.bfloat16 else torch.float32
    mask = torch.bernoulli(torch.full(tensor.shape, density, dtype=dtype), generator=draw)
    return _masked(tensor.to(dtype), mask.to(tensor.device), rescale).to(tensor.dtype)


def _masked(tensor: Tensor, mask: Tensor, rescale: bool) -> Tensor:
    """With `rescale`, the sum of absolute values is what it was."""
    kept = tensor * mask
    if not rescale:
        return kept
    before, after = _size(tensor), _size(kept)
    return kept * (before / after) if before >= SMALL and after >= SMALL else kept


def _size(tensor: Tensor) -> Tensor:
    """Sum of absolute values, in float32 where it is beyond float16: mergekit has NaN there."""
    total = tensor.abs().sum()
    return total if total.isfinite() else tensor.abs().sum(dtype=torch.float32)
