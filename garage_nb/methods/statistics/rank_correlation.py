"""Rank correlation as an effect: over arms, each of which is one pair."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor

from ...analyze.ranks import shuffle_p, spearman, spearman_interval
from .effect import Effect
from .smallest import smallest_correlation, spread_of_correlation


def rank_correlation(x: Float[Tensor, " pairs"], y: Float[Tensor, " pairs"], said: str, *, seed: int = 0) -> Effect:
    """The interval is a bootstrap over pairs, p of shuffling which belongs to which; NaN where one is constant."""
    value = spearman(x, y)
    low, high = spearman_interval(x, y, seed=seed)
    return Effect(
        said=said,
        value=value,
        low=low,
        high=high,
        p=math.nan if math.isnan(value) else shuffle_p(x, y, seed=seed),
        smallest=smallest_correlation(len(x)),
        spread=spread_of_correlation(len(x)),
    )
