"""Redrawn: what a mean over texts could have been, for several models on the same draws of texts.

A model is compared with another draw by draw, so that texts that are hard for both do not blur what tells them apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..bootstrap import DRAWS, SHARE, drawn_counts

Change = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Estimate:
    """Its 95 % interval is NaN for a single text."""

    value: float
    low: float = math.nan
    high: float = math.nan


NONE = Estimate(math.nan)


@dataclass(frozen=True, eq=False)
class Redrawn:
    """`means` of all texts and of each of `draws` of them, by model, the judged one first."""

    means: Float[Tensor, " models"]
    draws: Float[Tensor, "models draws"]

    @classmethod
    def of(cls, sums: Float[Tensor, "models texts"], sizes: Float[Tensor, "models texts"], seed: int) -> Redrawn:
        """Sums over so many tokens, or bytes, of each text; a mean is one of these."""
        count = sums.shape[1]
        drawn = drawn_counts(count, DRAWS if count > 1 else 0, seed)
        return cls(sums.sum(1) / sizes.sum(1), (sums @ drawn.T) / (sizes @ drawn.T))

    def map(self, change: Callable[[Tensor], Tensor]) -> Redrawn:
        return Redrawn(change(self.means), change(self.draws))

    def estimate(self, place: int) -> Estimate:
        return _estimate(self.means[place], self.draws[place])

    def compared(self, place: int, change: Change) -> Estimate:
        """The judged model with another: `change(judged, other)`, draw by draw."""
        return _estimate(change(self.means[0], self.means[place]), change(self.draws[0], self.draws[place]))


def _estimate(value: Tensor, draws: Tensor) -> Estimate:
    if not len(draws) or bool(value.isnan()):
        return Estimate(float(value))
    edges = torch.tensor([(1 - SHARE) / 2, (1 + SHARE) / 2], dtype=torch.float64)
    low, high = draws.quantile(edges).tolist()
    return Estimate(float(value), low, high)
