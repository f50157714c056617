"""Pair correlation: of two measures of ordered pairs of things, where each thing is in many pairs.

Pairs that share a thing are no draws of their own: thirty pairs of six models are six models. So p is that of drawing
which thing is which, in all pairs at once (Mantel, "The Detection of Disease Clustering and a Generalized Regression
Approach", 1967; Hubert & Schultz, "Quadratic Assignment as a General Data Analysis Strategy", 1976), and the interval
is a bootstrap over things.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice, permutations

import torch
from jaxtyping import Float
from torch import Tensor

from ...analyze.bootstrap import DRAWS, drawn_counts
from ...analyze.ranks import interval_over, ranks, spearman
from ...core.seed import seeded
from ...errors import InputError
from .effect import Effect
from .smallest import smallest_correlation, spread_of_correlation

Pair = tuple[int, int]
_SAME = 1e-9  # sums of ranks are as large up to rounding


def pair_correlation(
    x: Float[Tensor, " pairs"], y: Float[Tensor, " pairs"], pairs: Sequence[Pair], said: str, *, seed: int = 0
) -> Effect:
    """Of all ordered pairs of things 0 to k - 1; `n` counts things. NaN where one of the two is constant. InputError
    where a pair is missing, or there twice.
    """
    count = max(map(max, pairs)) + 1
    if sorted(pairs) != [(a, b) for a in range(count) for b in range(count) if a != b]:
        raise InputError(f"{len(pairs)} pairs of {count} things are not all there are.", "Give each of them once.")
    value = spearman(x, y)
    firsts, seconds = (torch.tensor(side) for side in zip(*pairs, strict=True))
    counts = drawn_counts(count, DRAWS, seed)
    low, high = interval_over(counts[:, firsts] * counts[:, seconds], x, y)
    return Effect(
        said=said,
        value=value,
        low=low,
        high=high,
        p=math.nan if math.isnan(value) else _relabelled_p(x, y, firsts, seconds, seed),
        smallest=smallest_correlation(count),
        spread=spread_of_correlation(count),
    )


def _relabelled_p(x: Tensor, y: Tensor, firsts: Tensor, seconds: Tensor, seed: int) -> float:
    """Two-sided, of all ways to relabel where they are few, and of drawn ones else; the truth is one of them."""
    count, a, b = int(firsts.max()) + 1, ranks(x), ranks(y)
    middle = (len(a) + 1) / 2
    grid = torch.zeros(count, count, dtype=torch.float64)
    grid[firsts, seconds] = a - middle
    several = torch.tensor(list(_relabelled(count, seed)))
    sums = (grid[several[:, firsts], several[:, seconds]] @ (b - middle)).abs()
    return float((sums >= sums[0] - _SAME).double().mean())


def _relabelled(count: int, seed: int) -> Iterator[tuple[int, ...]]:
    """As they are first."""
    if math.factorial(count) <= DRAWS:
        yield from permutations(range(count))
        return
    yield tuple(range(count))
    made = seeded(seed)
    yield from islice(iter(lambda: tuple(torch.randperm(count, generator=made).tolist()), None), DRAWS)
