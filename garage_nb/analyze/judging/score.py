"""Score: how many of a set were answered right, and how far that could be off."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

Z = 1.96  # of the normal distribution, for 95 %


@dataclass(frozen=True, kw_only=True)
class Score:
    """`right` of `n` items; no whole number where an item counts with the mean of several answers."""

    right: float
    n: int

    @property
    def accuracy(self) -> float:
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """95 %: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927."""
        share = self.accuracy
        centre = share + Z * Z / (2 * self.n)
        reach = Z * sqrt(share * (1 - share) / self.n + Z * Z / (4 * self.n * self.n))
        scale = 1 + Z * Z / self.n
        return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)

    def to_json(self) -> dict[str, Any]:
        low, high = self.interval
        return {"accuracy": round(self.accuracy, 4), "n": self.n, "low": round(low, 4), "high": round(high, 4)}
