"""Contest: two models on the same items, told apart only by those that one answers right and the other wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, comb, inf, log2, sqrt
from statistics import NormalDist

from .score import Z

LEVEL, POWER_Z = 0.05, 0.8416  # z of a power of 80 %
_NARROW = 1e-4  # of a share, where the search for the smallest ends


@dataclass(frozen=True, kw_only=True)
class Contest:
    """`won` items are right only of the first model, `lost` only of the second, of `n` in all."""

    won: int
    lost: int
    n: int

    @property
    def difference(self) -> float:
        """In accuracy, first less second."""
        return (self.won - self.lost) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, of the difference, as `adjusted_wald` says."""
        return adjusted_wald(self.won - self.lost, self.won + self.lost, self.n)

    @property
    def p(self) -> float:
        """Exact and two-sided: McNemar, 1947; a coin that falls so unevenly over the items that tell them apart."""
        told = self.won + self.lost
        tail = sum(comb(told, heads) for heads in range(min(self.won, self.lost) + 1))
        return min(1.0, 2 * tail / (1 << told))

    def smallest(self, level: float = LEVEL) -> float:
        """The difference that would be found 4 times in 5; infinite where so few items can show none.

        Connett, Smith & McHugh, "Sample Size and Power for Pair-Matched Case-Control Studies", 1987, with as many
        items that tell the two apart as there were, or as the difference itself takes; at least as many as the exact
        test needs when all of them fall to one side.
        """
        fewest = ceil(log2(2 / level))
        if fewest > self.n:
            return inf
        low, high = fewest / self.n, 1.0
        while high - low > _NARROW:
            middle = (low + high) / 2
            low, high = (low, middle) if self._needed(middle, level) <= self.n else (middle, high)
        return high

    def _needed(self, difference: float, level: float) -> float:
        """Items, so that the difference is found."""
        told = max((self.won + self.lost) / self.n, difference)
        spread = sqrt(max(told - difference**2, 0.0))
        reach: float = (_z(level) * sqrt(told) + POWER_Z * spread) / difference
        return reach * reach


def adjusted_wald(total: float, squares: float, n: int) -> tuple[float, float]:
    """95 %, of a mean difference, by the sum of the differences of `n` items and the sum of their squares: Bonett &
    Price, "Adjusted Wald Confidence Interval for a Difference of Binomial Proportions Based on Paired Data", 2012. One
    item won and one lost are added, so it has a width where no item tells the two apart, too.
    """
    mean = total / (n + 2)
    reach = Z * sqrt(((squares + 2) / (n + 2) - mean**2) / (n + 2))
    return max(-1.0, mean - reach), min(1.0, mean + reach)


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted for as many tests: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979."""
    found, least = [1.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        least = max(least, (len(ps) - rank) * ps[place])
        found[place] = min(1.0, least)
    return found


def _z(level: float) -> float:
    """Two-sided."""
    return NormalDist().inv_cdf(1 - level / 2)
