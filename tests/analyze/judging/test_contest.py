"""Paired tests against their definitions: every fall of a coin, formulas in NumPy, and what chance does by itself."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from garage_nb.analyze.judging.contest import Contest, holm


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (1, 0), (6, 0), (3, 3), (2, 9), (5, 7)])
def test_p_is_the_share_of_falls_as_uneven(won: int, lost: int) -> None:
    told = won + lost
    falls = [abs(2 * sum(fall) - told) for fall in itertools.product((0, 1), repeat=told)]

    expected = sum(uneven >= abs(won - lost) for uneven in falls) / len(falls)

    assert Contest(won=won, lost=lost, n=40).p == pytest.approx(expected, rel=1e-12)


def test_p_of_many_is_the_binomial_sum() -> None:
    found = Contest(won=700, lost=800, n=4000).p

    assert found == pytest.approx(2 * sum(math.comb(1500, k) for k in range(701)) / 2**1500, rel=1e-12)
    assert Contest(won=800, lost=700, n=4000).p == found


def test_the_interval_is_bonett_and_prices() -> None:
    won, lost, n = 12, 3, 56
    shares = (np.array([won, lost]) + 1) / (n + 2)
    middle, spread = shares[0] - shares[1], np.sqrt((shares.sum() - (shares[0] - shares[1]) ** 2) / (n + 2))

    found = Contest(won=won, lost=lost, n=n)

    assert found.interval == pytest.approx((middle - 1.96 * spread, middle + 1.96 * spread), rel=1e-9)
    assert found.difference == pytest.approx(9 / 56)
    low, high = Contest(won=0, lost=0, n=30).interval
    assert -0.15 < low < 0 < high < 0.15


@pytest.mark.parametrize(("won", "lost", "n"), [(0.3, 0.1, 60), (0.05, 0.05, 40), (0.02, 0.2, 100)])
def test_the_interval_holds_the_truth_as_often_as_it_says(won: float, lost: float, n: int) -> None:
    drawn = np.random.default_rng(0).multinomial(n, [won, lost, 1 - won - lost], size=2000)
    intervals = [Contest(won=int(a), lost=int(b), n=n).interval for a, b, _ in drawn]

    held = np.mean([low <= won - lost <= high for low, high in intervals])

    assert 0.93 <= held <= 0.99


def test_holm_is_its_definition() -> None:
    ps = [0.01, 0.04, 0.03, 0.005, 0.03]
    expected = [0.04, 0.09, 0.09, 0.025, 0.09]  # 5 · .005, 4 · .01, 3 · .03, then never less than before

    assert holm(ps) == pytest.approx(expected)
    assert holm([0.7, 0.6]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_the_smallest_difference_is_the_published_one() -> None:
    """Five points, where one item in five tells the two apart, need some 630 items."""
    assert Contest(won=63, lost=63, n=630).smallest() == pytest.approx(0.05, abs=5e-4)
    assert Contest(won=6, lost=5, n=56).smallest() == pytest.approx(0.165, abs=0.01)


@pytest.mark.parametrize(("told", "n"), [(0.2, 300), (0.4, 150), (0.1, 500)])
def test_it_is_found_four_times_in_five(told: float, n: int) -> None:
    smallest = Contest(won=round(told * n / 2), lost=round(told * n / 2), n=n).smallest()
    drawn = np.random.default_rng(1).multinomial(n, [(told + smallest) / 2, (told - smallest) / 2, 1 - told], size=2000)

    found = np.mean([Contest(won=int(a), lost=int(b), n=n).p <= 0.05 for a, b, _ in drawn])

    assert 0.72 <= found <= 0.84  # the exact test is a little careful


def test_few_items_cannot_show_a_thing() -> None:
    assert Contest(won=0, lost=0, n=5).smallest() == math.inf
    assert Contest(won=0, lost=0, n=6).smallest() == 1.0
    assert Contest(won=6, lost=0, n=6).p < 0.05 < Contest(won=5, lost=0, n=6).p
    assert Contest(won=0, lost=0, n=60).smallest() < Contest(won=0, lost=0, n=60).smallest(0.05 / 8)
