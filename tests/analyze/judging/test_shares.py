"""Shares of items: the intervals of `Score` and `Contest` column by column, and how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from garage_nb.analyze.judging.contest import Contest
from garage_nb.analyze.judging.score import Score
from garage_nb.analyze.judging.shares import of_paired_shares, of_shares


def test_columns_have_the_intervals_of_counts() -> None:
    values = torch.tensor([[1, 0, 1, 0, 1], [0, 0, 0, 0, 0]]).T
    moved = torch.tensor([[1, -1, 1, 0, 0], [0, 0, 0, 0, 0]]).T

    shares, paired = of_shares(values), of_paired_shares(moved)

    assert shares.mean.tolist() == [0.6, 0]
    assert paired.mean.tolist() == [0.2, 0]
    for column, (right, won, lost) in enumerate([(3, 2, 1), (0, 0, 0)]):
        assert (float(shares.low[column]), float(shares.high[column])) == Score(right=right, n=5).interval
        assert (float(paired.low[column]), float(paired.high[column])) == Contest(won=won, lost=lost, n=5).interval


def test_what_is_not_there_has_no_interval() -> None:
    for found in (of_shares(torch.tensor([[1.0], [np.nan]])), of_paired_shares(torch.tensor([[1.0], [np.nan]]))):
        assert all(one.isnan().all() for one in (found.mean, found.low, found.high))


@pytest.mark.parametrize("draws", [1, 3])
def test_means_of_draws_are_held_as_often_as_it_says(draws: int) -> None:
    """60 items, right untouched in 6 of 10, each flipped with a chance of its own, 1/6 on average."""
    made = np.random.default_rng(0)
    sign = np.where(made.random((60, 2000)) < 0.6, -1, 1)
    flips = made.binomial(draws, np.where(made.random((60, 2000)) < 0.5, made.beta(1, 2, (60, 2000)), 0)) / draws

    share = of_shares(torch.tensor(np.where(sign < 0, 1 - flips, flips)))
    paired = of_paired_shares(torch.tensor(sign * flips))

    for found, truth in ((share, 0.6 - 0.2 / 6), (paired, -0.2 / 6)):
        assert 0.93 <= float(((found.low <= truth) & (truth <= found.high)).double().mean()) <= 0.99
