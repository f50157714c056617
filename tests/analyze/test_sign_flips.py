"""Swaps against all swaps there are, and against McNemar's exact test."""

from __future__ import annotations

import itertools
from math import comb

import pytest
import torch

from garage_nb.analyze.sign_flips import swap_p


def test_it_is_mcnemars_where_items_are_right_or_wrong() -> None:
    values = torch.tensor([1.0] * 9 + [-1.0] * 2 + [0.0] * 30).double()

    expected = 2 * sum(comb(11, k) for k in range(3)) / 2**11

    assert swap_p(values) == pytest.approx(expected, rel=1e-12)
    assert swap_p(-values) == pytest.approx(expected, rel=1e-12)


def test_it_is_the_share_of_all_swaps() -> None:
    values = torch.tensor([0.9, 0.4, -0.3, 1.2, 0.05, 0.7, -0.1, 0.6]).double()
    sums = [abs(sum(s * float(v) for s, v in zip(signs, values, strict=True))) for signs in _signs(8)]

    expected = sum(one >= float(values.sum().abs()) - 1e-12 for one in sums) / len(sums)

    assert swap_p(values, draws=40_000) == pytest.approx(expected, abs=0.006)


def _signs(count: int) -> list[tuple[int, ...]]:
    return list(itertools.product((-1, 1), repeat=count))


def test_no_difference_is_no_evidence() -> None:
    assert swap_p(torch.zeros(20).double()) == 1
    assert swap_p(torch.tensor([0.5, -0.5]).double()) == 1


def test_the_same_seed_draws_the_same_and_p_is_never_nothing() -> None:
    values = torch.linspace(0.1, 1, 40).double()

    assert swap_p(values, seed=3) == swap_p(values, seed=3) == 1 / 4001
