"""Regression: ridge least squares in float64 over tokens that pass in pieces; what is kept is the sums."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Linear:
    """x @ weight + bias; weight (x, y), bias (y,)."""

    weight: Float[Tensor, "x y"]
    bias: Float[Tensor, " y"]


@dataclass(frozen=True, eq=False)
class Sums:
    """Of x (tokens, dim) and of y (tokens, dim of its own), taken off `about`, the means of their first piece, so that
    large means cost no digits.
    """

    about: tuple[Tensor, Tensor]
    count: int
    means: tuple[Tensor, Tensor]
    squares: Tensor
    products: Tensor
    power: Tensor

    def solved(self, ridge: float) -> Linear:
        """The least squares of y on x. `ridge` is in units of the mean variance of a dimension of x.

        A direction that no token has maps to 0.
        """
        squares, products, _ = self._central()
        weight = _ridge(squares, products, ridge)
        mean_x, mean_y = self._means()
        return Linear(weight, mean_y - mean_x @ weight)

    def through_zero(self, ridge: float) -> Linear:
        """As `solved`, with no bias; the ridge is in units of the mean square."""
        squares, products, _ = self._central()
        mean_x, mean_y = self._means()
        weight = _ridge(squares + mean_x.outer(mean_x), products + mean_x.outer(mean_y), ridge)
        return Linear(weight, torch.zeros_like(mean_y))

    def turned(self) -> Linear:
        """Orthogonal Procrustes (Schönemann, 1966): the rotation that brings x nearest to y, both about their means.

        Where one is wider, its columns or rows are orthonormal.
        """
        _, products, _ = self._central()
        left, _, right = torch.linalg.svd(products, full_matrices=False)
        weight = left @ right
        mean_x, mean_y = self._means()
        return Linear(weight, mean_y - mean_x @ weight)

    def explained(self, by: Linear) -> float:
        """The share of the variance of y that a map leaves no error of: 1 − (mean squared error ÷ variance)."""
        squares, products, power = self._central()
        mean_x, mean_y = self._means()
        off = mean_y - mean_x @ by.weight - by.bias
        fitted = (by.weight * (squares @ by.weight)).sum() - 2 * (by.weight * products).sum()
        return float(1 - (power + fitted + off.square().sum()) / power)

    def _means(self) -> tuple[Tensor, Tensor]:
        x, y = (about + mean / self.count for about, mean in zip(self.about, self.means, strict=True))
        return x, y

    def _central(self) -> tuple[Tensor, Tensor, Tensor]:
        """Variance of x, covariance of x and y, and the variance of y summed over its dimensions."""
        (x, y), count = self.means, self.count
        squares = self.squares / count - x.outer(x) / count**2
        products = self.products / count - x.outer(y) / count**2
        return squares, products, self.power / count - y.square().sum() / count**2


def added(sums: Sums | None, x: Float[Tensor, "tokens x"], y: Float[Tensor, "tokens y"]) -> Sums:
    """The sums with more tokens in them; both in float64."""
    before = sums or _nothing(x.mean(0), y.mean(0))
    x, y = x - before.about[0], y - before.about[1]
    return Sums(
        before.about,
        before.count + len(x),
        (before.means[0] + x.sum(0), before.means[1] + y.sum(0)),
        before.squares + x.T @ x,
        before.products + x.T @ y,
        before.power + y.square().sum(),
    )


def _ridge(squares: Tensor, products: Tensor, ridge: float) -> Tensor:
    one = torch.eye(len(squares), dtype=squares.dtype, device=squares.device)
    size = squares.diagonal().mean().clamp(min=torch.finfo(squares.dtype).tiny)
    weight: Tensor = torch.linalg.solve(squares + ridge * size * one, products)
    return weight


def _nothing(x: Tensor, y: Tensor) -> Sums:
    zeros = (torch.zeros_like(x), torch.zeros_like(y))
    return Sums((x, y), 0, zeros, x.new_zeros(len(x), len(x)), x.new_zeros(len(x), len(y)), x.new_zeros(()))
