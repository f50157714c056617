"""The bootstrap against NumPy with the same draws, and against what it is for: how often the truth is inside."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from garage_nb.analyze.bootstrap import bootstrap, drawn_counts


def test_it_is_the_percentiles_of_the_means_of_redrawn_rows() -> None:
    samples = torch.randn(7, 3, generator=torch.Generator().manual_seed(0)).double() ** 3

    found = bootstrap(samples, draws=500, seed=4)

    chosen = torch.randint(7, (500, 7), generator=torch.Generator().manual_seed(4)).numpy()
    means = samples.numpy()[chosen].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    assert found.mean.numpy() == pytest.approx(samples.numpy().mean(axis=0), abs=1e-12)
    assert found.low.numpy() == pytest.approx(low, abs=1e-12)
    assert found.high.numpy() == pytest.approx(high, abs=1e-12)


def test_every_draw_is_as_many_rows_as_there_are() -> None:
    counts = drawn_counts(9, 200, 0)

    assert bool((counts.sum(dim=1) == 9).all())
    assert float(counts.mean()) == 1
    assert len(counts.unique()) > 3


def test_the_truth_is_inside_about_as_often_as_said() -> None:
    """40 normal samples, 400 times: 95 % within what so few trials can tell."""
    trials = torch.randn(40, 400, generator=torch.Generator().manual_seed(0)).double()

    found = bootstrap(trials, draws=1000)

    inside = float(((found.low <= 0) & (found.high >= 0)).double().mean())
    assert 0.90 <= inside <= 0.98


def test_one_sample_has_no_interval() -> None:
    found = bootstrap(torch.tensor([[2.0, 3.0]]))

    assert found.mean.tolist() == [2, 3]
    assert bool(found.low.isnan().all())
    assert bool(found.high.isnan().all())


def test_the_same_seed_gives_the_same_and_the_global_numbers_stay() -> None:
    samples, before = torch.randn(10, 1, generator=torch.Generator().manual_seed(0)), torch.get_rng_state()

    first, again, other = bootstrap(samples), bootstrap(samples), bootstrap(samples, seed=1)

    assert torch.equal(first.low, again.low)
    assert not torch.equal(first.low, other.low)
    assert torch.equal(torch.get_rng_state(), before)


def test_sums_over_unlike_numbers_of_tokens_are_a_mean_of_tokens() -> None:
    """Against NumPy, with the same draws."""
    sums = torch.rand(12, 3, generator=torch.Generator().manual_seed(0)).double() * 9
    sizes = torch.arange(1, 13)

    found = bootstrap(sums, sizes=sizes, draws=500, seed=4)

    counts = drawn_counts(12, 500, 4).numpy()
    means = (counts @ sums.numpy()) / (counts @ sizes.numpy())[:, None]
    np.testing.assert_allclose(found.mean, sums.numpy().sum(0) / 78)
    np.testing.assert_allclose(found.low, np.quantile(means, 0.025, axis=0))
    np.testing.assert_allclose(found.high, np.quantile(means, 0.975, axis=0))
