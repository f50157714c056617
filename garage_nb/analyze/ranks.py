"""Ranks: Spearman's correlation of two measures of the same things, by the order they put these in."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.seed import seeded
from .bootstrap import DRAWS, SHARE, drawn_counts

_SAME = 1e-12  # a correlation is as large up to rounding


def ranks(values: Float[Tensor, "... k"]) -> Float[Tensor, "... k"]:
    """From 1; equal ones share the mean of theirs."""
    exact = values.double()
    below = (exact[..., None, :] < exact[..., :, None]).sum(-1)
    equal = (exact[..., None, :] == exact[..., :, None]).double().sum(-1)
    found: Tensor = below + (equal + 1) / 2
    return found


def spearman(x: Float[Tensor, " k"], y: Float[Tensor, " k"]) -> float:
    """NaN where one of the two is the same everywhere."""
    return float(_spearman(_once(x), x, y)[0])


def spearman_interval(x: Float[Tensor, " k"], y: Float[Tensor, " k"], *, seed: int = 0) -> tuple[float, float]:
    """At 95 %, by a percentile bootstrap over pairs; NaN where one of the two is the same everywhere."""
    return interval_over(drawn_counts(len(x), DRAWS, seed), x, y)


def interval_over(
    counts: Float[Tensor, "draws k"], x: Float[Tensor, " k"], y: Float[Tensor, " k"]
) -> tuple[float, float]:
    """The same, of draws in which each pair is there as often as it is counted."""
    found = _spearman(counts, x, y)
    known = found[found.isfinite()]
    if not len(known):
        return math.nan, math.nan
    edges = torch.tensor([(1 - SHARE) / 2, (1 + SHARE) / 2], dtype=torch.float64)
    low, high = known.quantile(edges).tolist()
    return low, high


def shuffle_p(x: Float[Tensor, " k"], y: Float[Tensor, " k"], *, seed: int = 0) -> float:
    """How often a correlation at least as far from 0 comes when it is drawn which belongs to which; two-sided."""
    a, b = (ranks(one) - (len(one) + 1) / 2 for one in (x, y))
    shuffled = torch.rand(DRAWS, len(b), generator=seeded(seed)).argsort(1)
    sums, truth = (b[shuffled] @ a).abs(), (a @ b).abs()
    return (1 + int((sums >= truth - _SAME * a.square().sum()).sum())) / (1 + DRAWS)


def _once(values: Tensor) -> Float[Tensor, "1 k"]:
    return torch.ones(1, len(values), dtype=torch.float64)


def _ranks(counts: Float[Tensor, "draws k"], values: Float[Tensor, " k"]) -> Float[Tensor, "draws k"]:
    """Of each, when it is there as often as it is counted."""
    below = (values[:, None] < values[None, :]).double()
    same = (values[:, None] == values[None, :]).double()
    return counts @ below + (counts @ same + 1) / 2


def _spearman(counts: Float[Tensor, "draws k"], x: Tensor, y: Tensor) -> Float[Tensor, " draws"]:
    """NaN for a draw in which one is the same everywhere."""
    middle = (counts.sum(1, keepdim=True) + 1) / 2  # the mean rank, whatever the ties
    a, b = (_ranks(counts, one) - middle for one in (x, y))
    product, a2, b2 = ((counts * one).sum(1) for one in (a * b, a * a, b * b))
    return torch.where((a2 > _SAME) & (b2 > _SAME), product / (a2 * b2).sqrt(), math.nan)
