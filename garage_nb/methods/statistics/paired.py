"""Paired: the mean of what each item shows, over items and over seeds, with all that could be off about it.

Values are one number an effect, seed and item: the same items under each seed, a difference of arms on each. Seeds that
are all the same are one: what no seed changes has no seeds to be unsure of. Then the interval is the bootstrap over
items and p that of swaps. Where seeds differ both count as drawn: seeds and items are redrawn apart from each other
(Owen, "The Pigeonhole Bootstrap", 2007), the few seeds with Student's reach, and p is that of their spread. Both err on
the side of caution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ...analyze.bootstrap import DRAWS, SHARE, drawn_counts
from ...analyze.judging.score import Z
from ...analyze.sign_flips import swap_p
from ...analyze.student import quantile
from .effect import Effect
from .smallest import smallest_of_items, smallest_of_seeds
from .spread import Spread


def paired(
    values: Float[Tensor, "effects seeds items"], said: Sequence[str], bounds: Sequence[float], *, seed: int = 0
) -> list[Effect]:
    """All on the same draws. `bounds` are the farthest that one item can be from 0 where items are counted, 0 where
    they are measured.
    """
    exact = values.detach().cpu().double()
    lows, highs = _intervals(exact, seed)
    rows = zip(exact, said, bounds, zip(lows, highs, strict=True), strict=True)
    return [_effect(one, name, bound, ends, seed) for one, name, bound, ends in rows]


def _effect(
    values: Float[Tensor, "seeds items"], said: str, bound: float, ends: tuple[float, float], seed: int
) -> Effect:
    rows = values[:1] if bool((values == values[0]).all()) else values
    spread, mean = Spread.of(rows), float(rows.mean())
    return Effect(
        said=said,
        value=mean,
        low=ends[0],
        high=ends[1],
        p=swap_p(rows[0], seed=seed) if len(rows) == 1 else 2 * spread.tail(abs(mean)),
        smallest=math.hypot(smallest_of_items(rows.mean(0), bound), smallest_of_seeds(spread)),
        spread=spread,
    )


def _intervals(values: Float[Tensor, "effects seeds items"], seed: int) -> tuple[list[float], list[float]]:
    """NaN for a single item. The draws of seeds that are all the same are all the same."""
    count, seeds, items = values.shape
    if items < 2:
        return [math.nan] * count, [math.nan] * count
    drawn = _redrawn(values.mean(1), seed)
    if seeds > 1:
        reach = quantile((1 + SHARE) / 2, seeds - 1) / Z * math.sqrt(seeds / (seeds - 1))
        drawn = drawn + reach * (_redrawn(values.mean(2), seed + 1) - values.mean((1, 2)))
    edges = torch.tensor([(1 - SHARE) / 2, (1 + SHARE) / 2], dtype=torch.float64)
    lows, highs = drawn.quantile(edges, dim=0).tolist()
    return lows, highs


def _redrawn(values: Float[Tensor, "effects k"], seed: int) -> Float[Tensor, "draws effects"]:
    return drawn_counts(values.shape[1], DRAWS, seed) @ values.T / values.shape[1]
