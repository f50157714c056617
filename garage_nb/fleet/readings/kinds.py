"""Kinds: what a reading leaves of the texts it has met, as sums that can be added up in float64 and int64.

To add a kind: a frozen dataclass of NumPy arrays with `merged`, and a line in KINDS. What has met nothing, merged with
another, is that other bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

Numbers = Float[np.ndarray, "..."]
Integers = Int[np.ndarray, "..."]


@dataclass(frozen=True, eq=False)
class Count:
    """How often; int64 of any shape."""

    counts: Integers

    @classmethod
    def of(cls, counts: Tensor | int) -> Count:
        return cls(torch.as_tensor(counts).cpu().numpy().astype(np.int64))

    def merged(self, other: Count) -> Count:
        return Count(np.asarray(self.counts + other.counts))


@dataclass(frozen=True, eq=False)
class Tally:
    """Values of which there were `n`: their mean, the sum of their squared distances from it, smallest and largest.

    All of one shape. Of no value: 0, 0, infinity and minus infinity.
    """

    n: Integers
    mean: Numbers
    squares: Numbers
    low: Numbers
    high: Numbers

    @classmethod
    def of(cls, values: Float[Tensor, "count ..."]) -> Tally:
        """Over the first axis. A value that is NaN is left out."""
        x = values.cpu().double().numpy()
        there = ~np.isnan(x)
        n = there.sum(axis=0, dtype=np.int64)
        mean = np.where(there, x, 0.0).sum(axis=0) / np.maximum(n, 1)
        squares = np.where(there, np.square(x - mean), 0.0).sum(axis=0)
        low = np.min(x, axis=0, where=there, initial=np.inf)
        high = np.max(x, axis=0, where=there, initial=-np.inf)
        return cls(np.asarray(n), np.asarray(mean), np.asarray(squares), np.asarray(low), np.asarray(high))

    def merged(self, other: Tally) -> Tally:
        """Chan, Golub and LeVeque (1983)."""
        n = self.n + other.n
        share = other.n / np.maximum(n, 1)
        apart = other.mean - self.mean
        found = (
            n,
            self.mean + apart * share,
            self.squares + other.squares + np.square(apart) * self.n * share,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )
        return Tally(*map(np.asarray, found))

    @cached_property
    def std(self) -> Numbers:
        """Of the population; NaN of no value."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.sqrt(self.squares / self.n))


@dataclass(frozen=True, eq=False)
class Moments:
    """Of `n` vectors: their mean (dim,), and the products of their distances from it (dim, dim), summed over them."""

    n: Integers
    mean: Numbers
    products: Numbers

    @classmethod
    def of(cls, rows: Float[Tensor, "count dim"]) -> Moments:
        x = rows.cpu().double()
        mean = x.sum(0) / max(len(x), 1)
        apart = x - mean
        return cls(np.asarray(len(x), dtype=np.int64), mean.numpy(), (apart.T @ apart).numpy())

    def merged(self, other: Moments) -> Moments:
        n = self.n + other.n
        share = other.n / np.maximum(n, 1)
        apart = other.mean - self.mean
        products = self.products + other.products + np.outer(apart, apart) * (self.n * share)
        return Moments(np.asarray(n), self.mean + apart * share, products)


Kind = Count | Tally | Moments
KINDS: dict[str, type[Kind]] = {"count": Count, "tally": Tally, "moments": Moments}
NAME_OF = {kind: name for name, kind in KINDS.items()}
