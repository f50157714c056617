"""Spread: how unsure a mean is by its items and by its seeds, which are drawn apart from each other.

The variance is that of Clark's min F', "The Language-as-Fixed-Effect Fallacy", 1973: both ways to be off, added. Its
tails are Student's of either, weighed as Cochran & Cox do, "Experimental Designs", 1957: few seeds make them long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ...analyze.student import one_sided


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Variances of a mean over so many `n` items and `seeds`; NaN for a single item, 0 by a single seed."""

    by_items: float
    by_seeds: float
    n: int
    seeds: int

    @classmethod
    def of(cls, values: Float[Tensor, "seeds items"]) -> Spread:
        seeds, n = values.shape
        by_items = float(values.mean(0).var() / n) if n > 1 else math.nan
        by_seeds = float(values.mean(1).var() / seeds) if seeds > 1 else 0.0
        return cls(by_items=by_items, by_seeds=by_seeds, n=n, seeds=seeds)

    @property
    def error(self) -> float:
        return math.sqrt(self.by_items + self.by_seeds)

    def tail(self, distance: float) -> float:
        """How often the mean is off by so much, and to this side, by chance. One half where that cannot be told."""
        if math.isnan(self.error):
            return 0.5
        if not self.error:
            return 0.5 if distance == 0 else float(distance < 0)
        t = distance / self.error
        items, seeds = (one_sided(t, max(1, count - 1)) for count in (self.n, self.seeds))
        return (self.by_items * items + self.by_seeds * seeds) / self.error**2
