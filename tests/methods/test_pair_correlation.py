"""Correlations over pairs of things: against loops over all relabellings, and against a bootstrap by hand."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor

from garage_nb.analyze.bootstrap import DRAWS, drawn_counts
from garage_nb.errors import InputError
from garage_nb.methods.measure import ACCURACY, LOG_PROB
from garage_nb.methods.rules.correlates_over_pairs import CorrelatesOverPairs
from garage_nb.methods.statistics.pair_correlation import Pair, pair_correlation
from garage_nb.methods.statistics.smallest import smallest_correlation


def drawn(count: int, share: float) -> tuple[Tensor, Tensor, list[Pair]]:
    """Differences of abilities, and as much of them beside chance."""
    pairs = list(permutations(range(count), 2))
    made = torch.Generator().manual_seed(0)
    ability = torch.randn(count, generator=made).double()
    x = torch.tensor([float(ability[b] - ability[a]) for a, b in pairs]).double()
    return x, share * x + torch.randn(len(pairs), generator=made).double(), pairs


def of_ranks(x: np.ndarray, y: np.ndarray) -> float:
    a, b = (np.argsort(np.argsort(one)).astype(float) for one in (x, y))
    return float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize("share", [0.0, 0.7])
def test_p_is_the_share_of_all_relabellings(share: float) -> None:
    x, y, pairs = drawn(5, share)

    found = pair_correlation(x, y, pairs, "x and y")

    at = {pair: place for place, pair in enumerate(pairs)}
    truth = of_ranks(x.numpy(), y.numpy())
    several = [[at[way[a], way[b]] for a, b in pairs] for way in permutations(range(5))]
    as_large = [abs(of_ranks(x.numpy()[way], y.numpy())) >= abs(truth) - 1e-9 for way in several]
    assert found.value == pytest.approx(truth)
    assert found.p == pytest.approx(sum(as_large) / 120)
    assert (found.n, found.smallest) == (5, smallest_correlation(5))


def test_the_interval_is_a_bootstrap_over_things() -> None:
    x, y, pairs = drawn(6, 1.0)

    found = pair_correlation(x, y, pairs, "x and y", seed=3)

    values = []
    for counts in drawn_counts(6, DRAWS, 3)[:400].int().tolist():
        kept = [place for place, (a, b) in enumerate(pairs) for _ in range(counts[a] * counts[b])]
        ranks = [np.unique(one.numpy()[kept], return_inverse=True, return_counts=True)[1:] for one in (x, y)]
        a, b = ((np.cumsum(many) - (many - 1) / 2)[place] for place, many in ranks)
        values.append(np.corrcoef(a, b)[0, 1])
    low, high = np.quantile(values, [0.025, 0.975])
    assert [found.low, found.high] == pytest.approx([low, high], abs=0.1)
    assert found.low < found.value < found.high


def test_of_many_things_relabellings_are_drawn_and_p_is_never_nothing() -> None:
    x, _, pairs = drawn(8, 1.0)

    found = pair_correlation(x, x, pairs, "x and x", seed=1)

    assert found.value == pytest.approx(1)
    assert found.p == 1 / (1 + DRAWS)


def test_what_is_all_the_same_has_no_order() -> None:
    x, _, pairs = drawn(4, 1.0)

    found = pair_correlation(x, torch.ones(12).double(), pairs, "x and one")

    assert math.isnan(found.value)
    assert math.isnan(found.p)


def test_pairs_are_all_there_are() -> None:
    x, y, pairs = drawn(4, 1.0)

    with pytest.raises(InputError, match="11 pairs of 4 things are not all there are"):
        pair_correlation(x[1:], y[1:], pairs[1:], "x and y")
    two = (("a", (0, 1)), ("b", (1, 0)))
    with pytest.raises(InputError, match="2 pairs are too few"):
        CorrelatesOverPairs(among=two, by=LOG_PROB, measure=ACCURACY, margin=0.5)
