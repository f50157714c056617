"""Benjamini & Hochberg against their own example and their definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from garage_nb.analyze.false_discovery import benjamini_hochberg


def test_their_example() -> None:
    """Of these fifteen the first four are rejected at 0.05: table 1 of the paper."""
    ps = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
          0.7590, 1.0]  # fmt: skip

    found = benjamini_hochberg(torch.tensor(ps, dtype=torch.float64)).tolist()

    assert [one <= 0.05 for one in found] == [True] * 4 + [False] * 11
    assert found[3] == pytest.approx(0.0095 * 15 / 4)


def test_it_is_the_definition_in_any_order() -> None:
    """The smallest level at which the step-up procedure rejects."""
    ps = np.random.default_rng(0).random(9) ** 3
    ordered = np.sort(ps)

    found = benjamini_hochberg(torch.from_numpy(ps)).tolist()

    for p, adjusted in zip(ps, found, strict=True):
        assert adjusted == pytest.approx(min(ordered[rank] * 9 / (rank + 1) for rank in range(9) if ordered[rank] >= p))
    assert benjamini_hochberg(torch.tensor([0.2], dtype=torch.float64)).tolist() == [0.2]
    assert benjamini_hochberg(torch.zeros(0)).tolist() == []


def test_a_test_that_was_not_made_is_none_of_the_family() -> None:
    ps = torch.tensor([[0.01, math.nan], [0.02, 0.9]], dtype=torch.float64)

    found = benjamini_hochberg(ps)

    assert found.shape == ps.shape
    assert bool(found[0, 1].isnan())
    assert found[~found.isnan()].tolist() == pytest.approx([0.03, 0.03, 0.9])


def test_of_what_it_calls_few_are_chance() -> None:
    made = np.random.default_rng(1)
    shares = []
    for _ in range(300):
        ps = np.concatenate([made.random(15), made.random(5) ** 12])  # 15 of chance, 5 not
        called = benjamini_hochberg(torch.from_numpy(ps)).numpy() <= 0.05
        shares.append(called[:15].sum() / max(1, called.sum()))
    assert np.mean(shares) <= 0.05
