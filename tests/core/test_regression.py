"""Least squares from sums, against NumPy's on all the data at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from garage_nb.core.regression import Sums, added


def data(rows: int, wide: int, narrow: int, far: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, wide, generator=made).double() + far
    y = x @ torch.randn(wide, narrow, generator=made).double() + torch.randn(rows, narrow, generator=made).double()
    return x, y + 3


def summed(x: torch.Tensor, y: torch.Tensor) -> Sums:
    sums = None
    for piece in range(0, len(x), 37):
        sums = added(sums, x[piece : piece + 37], y[piece : piece + 37])
    assert sums is not None
    return sums


@pytest.mark.parametrize("far", [0.0, 1e5])
def test_the_map_is_that_of_least_squares(far: float) -> None:
    x, y = data(300, 7, 4, far)

    found = summed(x, y).solved(ridge=0.0)

    # About the means, as NumPy's own columns would lose the digits that 1e5 takes.
    weight, *_ = np.linalg.lstsq((x - x.mean(0)).numpy(), (y - y.mean(0)).numpy(), rcond=None)
    assert np.abs(found.weight.numpy() - weight).max() < 1e-7
    assert np.abs(((x @ found.weight + found.bias) - y).mean(0).numpy()).max() < 1e-7


def test_a_ridge_is_the_one_of_the_closed_form() -> None:
    x, y = data(200, 5, 3, 1.0)
    ridge = 0.1

    found = summed(x, y).solved(ridge)

    x0, y0 = (x - x.mean(0)).numpy(), (y - y.mean(0)).numpy()
    squares = x0.T @ x0 / len(x0)
    expected = np.linalg.solve(squares + ridge * np.trace(squares) / 5 * np.eye(5), x0.T @ y0 / len(x0))
    assert np.abs(found.weight.numpy() - expected).max() < 1e-10


def test_what_is_explained_is_one_less_the_share_of_error() -> None:
    x, y = data(200, 5, 3, 0.0)
    others_x, others_y = data(150, 5, 3, 0.5, seed=1)
    found = summed(x, y).solved(1e-3)

    share = summed(others_x, others_y).explained(found)

    error = (others_x @ found.weight + found.bias - others_y).square().sum()
    assert share == pytest.approx(float(1 - error / (others_y - others_y.mean(0)).square().sum()), abs=1e-10)


def test_a_direction_that_no_token_has_maps_to_nothing() -> None:
    x, y = data(100, 4, 2, 0.0)
    x[:, 3] = 5.0

    found = summed(x, y).solved(1e-3)

    assert found.weight[3].abs().max() == 0
