"""The smallest effect that so many items, and so many seeds, would show 4 times in 5."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor

from ...analyze.judging.contest import LEVEL, POWER_Z, Contest
from ...analyze.judging.score import Z
from ...analyze.student import quantile
from .spread import Spread

POWER = 0.8
FEWEST = math.ceil(math.log2(2 / LEVEL))  # items that swaps can tell anything by, when all fall to one side


def smallest_of_items(values: Float[Tensor, " items"], bound: float) -> float:
    """Where items are counted, by those that tell two arms apart, as `Contest.smallest`: there is one though none did.

    Of several seeds' mean an item that does so under some of them counts in part, by its square.
    """
    count = len(values)
    if count < FEWEST:
        return math.inf
    if bound:
        told = min(count, math.ceil(float((values / bound).square().sum()) - 1e-9))
        return bound * Contest(won=told, lost=0, n=count).smallest()
    return (Z + POWER_Z) * float(values.std()) / math.sqrt(count)


def smallest_of_seeds(spread: Spread) -> float:
    """0 where they are all the same."""
    freedom = spread.seeds - 1
    if not freedom:
        return 0.0
    return (quantile(1 - LEVEL / 2, freedom) + quantile(POWER, freedom)) * math.sqrt(spread.by_seeds)


def smallest_correlation(pairs: int) -> float:
    """Of ranks, 0 to 1."""
    spread = spread_of_correlation(pairs)
    return math.inf if math.isnan(spread.error) else math.tanh((Z + POWER_Z) * spread.error)


def spread_of_correlation(pairs: int) -> Spread:
    """Of the inverse hyperbolic tangent of a correlation of ranks, near 0: Fieller, Hartley & Pearson, "Tests for Rank
    Correlation Coefficients I", 1957.
    """
    return Spread(by_items=1.06 / (pairs - 3) if pairs > 3 else math.nan, by_seeds=0.0, n=pairs, seeds=1)
