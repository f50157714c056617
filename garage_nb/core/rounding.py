"""Rounding: how far two computations of one thing may be apart when their kernels add in another order."""

from __future__ import annotations

import torch

_ROUNDINGS = 1000  # of the dtype
_MOST = 0.1  # where sixteen bits would round by more


def allowed_rounding(dtype: torch.dtype) -> float:
    """Relative to the largest value."""
    return min(_ROUNDINGS * torch.finfo(dtype).eps, _MOST)
