"""Correlation: Pearson's r of two measurements of the same cells, and how far it could be off by the prompts alone."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ..bootstrap import DRAWS, SHARE, drawn_counts


def correlation(first: Float[Tensor, "prompts k"], second: Float[Tensor, "prompts k"]) -> float:
    """Over all cells of all prompts; NaN where one of the two is the same everywhere."""
    return float(_pearson(torch.ones(1, len(first), dtype=torch.float64), first, second)[0])


def correlation_interval(
    first: Float[Tensor, "prompts k"],
    second: Float[Tensor, "prompts k"],
    *,
    share: float = SHARE,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[float, float]:
    """Where `share` of the r of redrawn prompts lie, by a percentile bootstrap; NaN for a single prompt."""
    if len(first) < 2:
        return math.nan, math.nan
    found = _pearson(drawn_counts(len(first), draws, seed), first, second)
    edges = torch.tensor([(1 - share) / 2, (1 + share) / 2], dtype=torch.float64)
    low, high = found[found.isfinite()].quantile(edges).tolist() if bool(found.isfinite().any()) else (math.nan,) * 2
    return low, high


def _pearson(counts: Float[Tensor, "draws prompts"], first: Tensor, second: Tensor) -> Float[Tensor, " draws"]:
    """With each prompt as often as it is counted. What both are moved by first costs no digits of their products."""
    a, b = (one.double() - one.double().mean() for one in (first, second))
    cells = counts.sum(dim=1) * a.shape[1]
    sums = [counts @ one.sum(dim=1) for one in (a, b, a * a, b * b, a * b)]
    mean_a, mean_b, square_a, square_b, product = (total / cells for total in sums)
    spread = ((square_a - mean_a**2).clamp(min=0) * (square_b - mean_b**2).clamp(min=0)).sqrt()
    return torch.where(spread > 0, (product - mean_a * mean_b) / spread, math.nan)
