"""Spearman's correlation against pandas' ranks and NumPy, and against every order there is."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch

from garage_nb.analyze.bootstrap import drawn_counts
from garage_nb.analyze.ranks import ranks, shuffle_p, spearman, spearman_interval

X = torch.tensor([3.0, 1.0, 1.0, 7.0, 4.0, 4.0, 4.0, 9.0]).double()
Y = torch.tensor([2.0, 1.0, 3.0, 5.0, 5.0, 0.0, 7.0, 8.0]).double()


def slowly(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(pd.Series(x).rank(), pd.Series(y).rank())[0, 1])


def test_ties_share_their_ranks() -> None:
    assert ranks(X).tolist() == pd.Series(X.numpy()).rank().tolist() == [3, 1.5, 1.5, 7, 5, 5, 5, 8]


def test_it_is_the_correlation_of_the_ranks() -> None:
    assert spearman(X, Y) == pytest.approx(slowly(X.numpy(), Y.numpy()), abs=1e-14)
    assert spearman(X, X.exp()) == pytest.approx(1)
    assert spearman(X, -X) == pytest.approx(-1)
    assert math.isnan(spearman(X, torch.ones(8).double()))


def test_the_interval_is_that_of_redrawn_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("garage_nb.analyze.ranks.DRAWS", 300)
    found = []
    for counts in drawn_counts(8, 300, 1).long():
        at = torch.arange(8).repeat_interleave(counts).numpy()
        x, y = X.numpy()[at], Y.numpy()[at]
        found.append(slowly(x, y) if len(set(x)) > 1 < len(set(y)) else math.nan)

    low, high = spearman_interval(X, Y, seed=1)

    assert [low, high] == pytest.approx(np.nanquantile(found, [0.025, 0.975]).tolist(), abs=1e-9)
    assert all(map(math.isnan, spearman_interval(X, torch.ones(8).double())))


def test_p_is_the_share_of_all_orders() -> None:
    x, y = X[:6], Y[:6]
    truth = abs(spearman(x, y))
    orders = [y[list(order)] for order in itertools.permutations(range(6))]

    expected = np.mean([abs(spearman(x, order)) >= truth - 1e-9 for order in orders])

    assert shuffle_p(x, y) == pytest.approx(expected, abs=0.025)
    assert shuffle_p(x, y, seed=4) == shuffle_p(x, y, seed=4)
