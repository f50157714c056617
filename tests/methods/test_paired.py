"""Effects against NumPy, and against what they are for: how often the truth is inside, what is found 4 times in 5."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from garage_nb.analyze.bootstrap import DRAWS, bootstrap, drawn_counts
from garage_nb.analyze.judging.contest import Contest
from garage_nb.analyze.student import two_sided
from garage_nb.methods.statistics.paired import paired
from garage_nb.methods.statistics.smallest import smallest_correlation, smallest_of_items
from garage_nb.methods.statistics.spread import Spread


def drawn(count: int, seeds: int, items: int, *, of_seeds: float, of_items: float, noise: float = 1.0) -> Tensor:
    """No effect, and as much chance of every kind as said."""
    made = torch.Generator().manual_seed(5)
    by_seed = of_seeds * torch.randn(count, seeds, 1, generator=made)
    by_item = of_items * torch.randn(count, 1, items, generator=made)
    return (by_seed + by_item + noise * torch.randn(count, seeds, items, generator=made)).double()


def test_seeds_that_change_nothing_are_one() -> None:
    """Its interval is the bootstrap, its p that of swaps."""
    values = torch.randn(1, 30, generator=torch.Generator().manual_seed(0)).double() + 0.4

    (found,) = paired(values.expand(1, 5, 30), ["a − b"], [0.0], seed=2)

    expected = bootstrap(values.T, seed=2)
    assert (found.seeds, found.n, found.said) == (1, 30, "a − b")
    assert [found.value, found.low, found.high] == pytest.approx([float(x) for x in vars(expected).values()])
    assert found.spread.error == pytest.approx(float(values.std()) / math.sqrt(30))


def test_seeds_that_differ_are_redrawn_too() -> None:
    values = drawn(1, 4, 20, of_seeds=1, of_items=1)

    (found,) = paired(values, ["a − b"], [0.0], seed=3)

    grid = values[0].numpy()
    items = drawn_counts(20, DRAWS, 3).numpy() @ grid.mean(0) / 20
    seeds = drawn_counts(4, DRAWS, 4).numpy() @ grid.mean(1) / 4
    reach = 3.182446 / 1.96 * math.sqrt(4 / 3)
    low, high = np.quantile(items + reach * (seeds - grid.mean()), [0.025, 0.975])
    assert [found.value, found.low, found.high] == pytest.approx([grid.mean(), low, high], abs=1e-5)
    variances = [grid.mean(1).var(ddof=1) / 4, grid.mean(0).var(ddof=1) / 20]
    t = grid.mean() / math.sqrt(sum(variances))
    assert found.spread.error == pytest.approx(math.sqrt(sum(variances)))
    assert found.p == pytest.approx(np.average([two_sided(t, 3), two_sided(t, 19)], weights=variances))


@pytest.mark.parametrize(("of_seeds", "of_items"), [(0.0, 1.0), (1.0, 0.0), (0.4, 0.8)])
@pytest.mark.parametrize("seeds", [3, 5])
def test_the_truth_is_inside_as_often_as_said(seeds: int, of_seeds: float, of_items: float) -> None:
    """400 times; with three seeds too, which a bootstrap alone would be far too sure of."""
    values = drawn(400, seeds, 40, of_seeds=of_seeds, of_items=of_items)

    found = paired(values, [""] * 400, [0.0] * 400)

    inside = sum(one.low <= 0 <= one.high for one in found) / 400
    called = sum(one.p <= 0.05 for one in found) / 400
    assert 0.93 <= inside <= 1
    assert called <= 0.07


def test_the_smallest_effect_is_found_four_times_in_five() -> None:
    """Where seeds are alike; where they differ it is said larger, on the side of caution."""
    values = drawn(600, 3, 60, of_seeds=0, of_items=3, noise=0.1)
    spread = math.sqrt((9 + 0.01 / 3) / 60)

    found = paired(values + 2.8016 * spread, [""] * 600, [0.0] * 600)

    assert sum(one.smallest for one in found) / 600 == pytest.approx(2.8016 * spread, rel=0.03)
    assert 0.76 <= sum(one.p <= 0.05 for one in found) / 600 <= 0.84


def test_counted_items_are_told_as_a_contest_tells_them() -> None:
    values = torch.tensor([1.0] * 12 + [-1.0] * 5 + [0.0] * 83).double()

    (found,) = paired(values[None, None], ["a − b"], [1.0])

    contest = Contest(won=12, lost=5, n=100)
    assert (found.p, found.smallest, found.value) == (contest.p, contest.smallest(), contest.difference)


def test_few_items_can_show_nothing() -> None:
    assert smallest_of_items(torch.ones(5).double(), 0.0) == math.inf
    assert smallest_of_items(torch.zeros(60).double(), 1.0) > 0.1  # none tells two apart, and yet one might have
    assert smallest_of_items(torch.zeros(60).double(), 2.0) == 2 * smallest_of_items(torch.zeros(60).double(), 1.0)
    (found,) = paired(torch.ones(1, 1, 1), ["a − b"], [1.0])
    assert math.isnan(found.low)
    assert found.p == 1


def test_few_pairs_show_only_large_correlations() -> None:
    """Against draws: 40 pairs of the said correlation are found 4 times in 5, and 12 want a larger one."""
    rho = smallest_correlation(40)
    made = np.random.default_rng(0)
    calls = 0
    for _ in range(400):
        x = made.standard_normal(40)
        y = 2 * math.sin(math.pi * rho / 6) * x + math.sqrt(1 - (2 * math.sin(math.pi * rho / 6)) ** 2) * (
            made.standard_normal(40)
        )
        ranks = [np.argsort(np.argsort(one)) for one in (x, y)]
        calls += abs(math.atanh(np.corrcoef(*ranks)[0, 1])) > 1.96 * math.sqrt(1.06 / 37)
    assert 0.74 <= calls / 400 <= 0.86
    assert rho < smallest_correlation(12) < 1
    assert smallest_correlation(3) == math.inf


def test_what_cannot_vary_has_sharp_tails() -> None:
    same = Spread(by_items=0.0, by_seeds=0.0, n=9, seeds=1)

    assert [same.tail(distance) for distance in (-1.0, 0.0, 1.0)] == [1, 0.5, 0]
    assert Spread(by_items=math.nan, by_seeds=0.0, n=1, seeds=1).tail(3.0) == 0.5
