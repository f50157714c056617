"""Bootstrap: how far a mean over prompts could be off, from the prompts alone.

The percentile interval of Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979. Below some ten prompts it is
too narrow, as every interval of the kind is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.seed import seeded

SHARE, DRAWS = 0.95, 4000


@dataclass(frozen=True, eq=False)
class Interval:
    """Means (k,) and how far they could be off; NaN where nothing can be said of that."""

    mean: Float[Tensor, " k"]
    low: Float[Tensor, " k"]
    high: Float[Tensor, " k"]


def bootstrap(
    samples: Float[Tensor, "prompts k"],
    *,
    sizes: Float[Tensor, " prompts"] | None = None,
    share: float = SHARE,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Where `share` of the means of redrawn prompts lie, NaN for a single prompt. They are drawn with replacement, the
    same ones for every column. The global RNG is left alone.

    With `sizes` the samples are sums over so many tokens of each prompt, and the mean is one of tokens.
    """
    exact = samples.detach().cpu().double()
    each = torch.ones(len(exact), dtype=torch.float64) if sizes is None else sizes.detach().cpu().double()
    mean = exact.sum(dim=0) / each.sum()
    if len(exact) < 2:
        none = torch.full_like(mean, math.nan)
        return Interval(mean, none, none)
    counts = drawn_counts(len(exact), draws, seed)
    means = counts @ exact / (counts @ each)[:, None]
    edges = torch.tensor([(1 - share) / 2, (1 + share) / 2], dtype=torch.float64)
    low, high = means.quantile(edges, dim=0)
    return Interval(mean, low, high)


def drawn_counts(count: int, draws: int, seed: int) -> Float[Tensor, "draws count"]:
    """How often each prompt is in each draw."""
    chosen = torch.randint(count, (draws, count), generator=seeded(seed))
    return torch.zeros(draws, count, dtype=torch.float64).scatter_add_(1, chosen, torch.ones(draws, count).double())
