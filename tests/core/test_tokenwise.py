"""A token by itself has the statistics of a tensor that holds it alone, and its counts know every sparsity."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from garage_nb.core.sites import Site
from garage_nb.core.stats import TAU, reduce
from garage_nb.core.tokenwise import (
    EDGES,
    NUMBERS,
    STORED,
    TOKENWISE,
    edges_with,
    reduce_each,
    statistics_each,
    token_rows,
)
from tests.core.test_stats import tensors
from tests.operations import Operations


def alone(rows: Tensor, names: tuple[str, ...] = STORED, tau: float = TAU) -> Tensor:
    """The oracle: every token as a tensor of its own."""
    return torch.stack([reduce(row[None], tau, names) for row in rows])


@pytest.mark.parametrize("name", tensors())
def test_every_statistic_is_that_of_the_token_alone(name: str) -> None:
    rows = tensors()[name]

    found = reduce_each(rows, EDGES)[:, : len(STORED)]

    torch.testing.assert_close(found, alone(rows), rtol=1e-12, atol=1e-300, equal_nan=True)


@pytest.mark.parametrize("name", tensors())
@pytest.mark.parametrize("tau", [0.0, 0.001, 0.05, TAU, 0.137, 1.0, 10.0])
def test_the_counts_know_the_sparsity_at_every_edge(name: str, tau: float) -> None:
    rows, edges = tensors()[name], edges_with([0.137])

    counts = reduce_each(rows, edges)[:, len(STORED) :]

    shares = counts[:, edges.index(tau)] / counts[:, -1]
    torch.testing.assert_close(shares, alone(rows, ("sparsity",), tau)[:, 0], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", tensors())
def test_chosen_statistics_are_the_same_without_a_count_at_every_edge(name: str) -> None:
    rows = tensors()[name]

    found, backwards = statistics_each(rows, tau=0.3), statistics_each(rows, TOKENWISE[::-1], 0.3)

    torch.testing.assert_close(found, alone(rows, TOKENWISE, 0.3), rtol=1e-12, atol=1e-300, equal_nan=True)
    torch.testing.assert_close(backwards, found.flip(1), rtol=0, atol=0, equal_nan=True)


def test_the_usual_threshold_is_an_edge_and_edges_rise_from_nothing_to_ten() -> None:
    assert TAU in EDGES
    assert {0.0, 0.001, 0.01, 0.05, 0.2, 0.5, 1.0, 2.0, 10.0} <= set(EDGES)
    assert list(EDGES) == sorted(set(EDGES))
    ratios = [b / a for a, b in pairwise(EDGES[1:])]
    assert max(ratios) <= 1.3
    assert edges_with([0.137, TAU]) == tuple(sorted([*EDGES, 0.137]))


def test_zeros_constants_and_single_entries() -> None:
    rows = torch.tensor([[0.0, 0.0, 0.0], [0.1, 0.1, 0.1]])

    found = dict(zip(STORED, reduce_each(rows, EDGES).T, strict=False))
    counts = reduce_each(rows, EDGES)[:, len(STORED) :]

    assert found["std"].tolist() == [0, 0]
    assert found["entropy"].tolist() == pytest.approx([0, 1.0986123], abs=1e-6)
    assert counts[0].tolist() == [3] * (len(EDGES) + 1)
    assert counts[1].tolist() == [0] * len(EDGES) + [3]
    assert reduce_each(torch.tensor([[5.0]]), EDGES)[0, STORED.index("norm")] == 5


def test_what_is_not_finite_is_counted() -> None:
    rows = torch.tensor([[1.0, float("nan"), float("inf")], [1.0, 2.0, 3.0]])

    assert reduce_each(rows, EDGES)[:, STORED.index("non_finite")].tolist() == [2, 0]


@pytest.mark.parametrize(
    ("shape", "rows"), [((1, 5, 8), (5, 8)), ((1, 5, 2, 4), (5, 8)), ((5, 8), (5, 8)), ((1, 8), (1, 8))]
)
def test_every_axis_but_the_tokens_is_the_tokens_own(shape: tuple[int, ...], rows: tuple[int, int]) -> None:
    hidden = torch.arange(float(torch.Size(shape).numel())).reshape(shape)

    assert token_rows(Site("a"), hidden).shape == rows
    assert torch.equal(token_rows(Site("a"), hidden).flatten(), hidden.flatten())


def test_of_a_pattern_the_tokens_are_the_queries() -> None:
    pattern = torch.randn(1, 2, 5, 7, generator=torch.Generator().manual_seed(0))

    rows = token_rows(Site("a", "pattern"), pattern)

    assert rows.shape == (5, 14)
    assert torch.equal(rows[3], pattern[0, :, 3].flatten())


def test_no_device_is_waited_for() -> None:
    with Operations() as seen:
        found = reduce_each(torch.randn(4, 8), EDGES)

    assert found.shape == (4, NUMBERS + len(EDGES))
    assert not [name for name in seen.names if "local_scalar_dense" in name or "nonzero" in name]
