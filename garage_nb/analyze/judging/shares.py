"""Shares: how far shares of items, and differences of them, could be off, column by column.

An item that was asked several times counts with its mean: it varies less than one that is right or wrong, so that these
intervals are then rather too wide than too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ..bootstrap import Interval
from .contest import adjusted_wald
from .score import Score

Ends = tuple[float, float]


def of_shares(values: Float[Tensor, "items k"]) -> Interval:
    """Of columns from 0 to 1: Wilson's, as of `Score`. NaN where a column has NaN."""
    return _by_column(values, lambda one: Score(right=float(one.sum()), n=len(one)).interval)


def of_paired_shares(differences: Float[Tensor, "items k"]) -> Interval:
    """Of columns from −1 to 1: Bonett and Price's, as of `Contest`. NaN where a column has NaN."""
    return _by_column(differences, lambda one: adjusted_wald(float(one.sum()), float(one.square().sum()), len(one)))


def _by_column(values: Tensor, ends: Callable[[Tensor], Ends]) -> Interval:
    exact = values.detach().cpu().double()
    found = [(math.nan, math.nan) if bool(one.isnan().any()) else ends(one) for one in exact.T]
    low, high = torch.tensor(found, dtype=torch.float64).T
    return Interval(exact.mean(dim=0), low, high)
