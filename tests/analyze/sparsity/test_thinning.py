"""Rules that leave the same number of zeros, against loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from garage_nb.analyze.sparsity.thinning import scattered, smallest

HIDDEN = torch.randn(1, 7, 16, generator=torch.Generator().manual_seed(0))
HALF_ZERO = HIDDEN.clamp(min=0)


@pytest.mark.parametrize("zeros", [0, 1, 40, 111, 112])
def test_chance_leaves_exactly_as_many_zeros(zeros: int) -> None:
    found = scattered(HIDDEN, zeros, 3)

    assert int((found == 0).sum()) == zeros
    assert torch.equal(found[found != 0], HIDDEN[found != 0])
    assert torch.equal(found, scattered(HIDDEN, zeros, 3))
    assert zeros in (0, 112) or not torch.equal(found, scattered(HIDDEN, zeros, 4))


def test_zeros_that_are_there_count() -> None:
    there = int((HALF_ZERO == 0).sum())

    assert int((scattered(HALF_ZERO, there + 9, 0) == 0).sum()) == there + 9
    assert torch.equal(scattered(HALF_ZERO, there - 5, 0), HALF_ZERO)


def test_chance_prefers_nothing() -> None:
    drawn = torch.stack([scattered(HIDDEN, 28, seed) == 0 for seed in range(2000)]).double().mean(0)

    assert float((drawn - 0.25).abs().max()) < 0.05


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.999])
def test_the_smallest_of_each_token(share: float) -> None:
    found = smallest(HIDDEN, share)[0].numpy()

    for row, before in zip(found, HIDDEN[0].numpy(), strict=True):
        expected = before.copy()
        expected[np.argsort(np.abs(before))[: round(share * 16)]] = 0
        np.testing.assert_array_equal(row, expected)


def test_nothing_is_written_into_what_they_are_given() -> None:
    before = HIDDEN.clone()

    scattered(HIDDEN, 50, 0)
    smallest(HIDDEN, 0.5)

    assert torch.equal(HIDDEN, before)
