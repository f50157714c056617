"""Pearson's r and its bootstrap against NumPy with the same draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from garage_nb.analyze.causal.correlation import correlation, correlation_interval


def samples() -> tuple[torch.Tensor, torch.Tensor]:
    drawn = torch.randn(2, 6, 11, generator=torch.Generator().manual_seed(0)).double()
    return 1e4 + drawn[0], drawn[0] + 0.5 * drawn[1]  # a mean that would cost digits


def test_it_is_pearsons_over_all_cells() -> None:
    first, second = samples()

    expected = np.corrcoef(first.numpy().ravel(), second.numpy().ravel())[0, 1]
    assert correlation(first, second) == pytest.approx(expected, abs=1e-12)


def test_the_interval_is_that_of_redrawn_prompts() -> None:
    first, second = samples()

    low, high = correlation_interval(first, second, draws=300, seed=7)

    chosen = torch.randint(6, (300, 6), generator=torch.Generator().manual_seed(7)).numpy()
    drawn = [np.corrcoef(first.numpy()[rows].ravel(), second.numpy()[rows].ravel())[0, 1] for rows in chosen]
    assert (low, high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=1e-10)
    assert low < correlation(first, second) < high


def test_nothing_to_tell_apart_has_no_correlation() -> None:
    first, second = torch.zeros(3, 4), torch.arange(12.0).reshape(3, 4)

    assert np.isnan(correlation(first, second))
    assert all(np.isnan(correlation_interval(first, second)))
    assert all(np.isnan(correlation_interval(second[:1], second[:1])))
