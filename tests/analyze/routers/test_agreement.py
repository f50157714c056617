"""Agreement: against ranks and correlations written out, and against agreement that was planted, or was not."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from garage_nb.analyze.false_discovery import benjamini_hochberg
from garage_nb.analyze.ranks import ranks
from garage_nb.analyze.routers.agreement import agreement
from garage_nb.analyze.routers.sets import sets_of
from garage_nb.analyze.routers.signed import signed


def ranked(values: Sequence[float]) -> list[float]:
    order = sorted(values)
    return [1 + order.index(value) + (order.count(value) - 1) / 2 for value in values]


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    return float(np.corrcoef(ranked(a), ranked(b))[0, 1])


def drawn(items: int, experts: int, seed: int, pull: float = 0.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    probability, noise = (torch.randn(items, experts, generator=generator).double() for _ in range(2))
    return probability.softmax(-1), pull * probability + noise


def test_ranks_share_their_mean_where_they_are_equal() -> None:
    values = torch.tensor([[3.0, 1, 3, -2], [0, 0, 0, 0]])

    assert ranks(values).tolist() == [ranked(row) for row in values.tolist()]


@pytest.mark.parametrize("experts", [3, 8])
def test_rho_is_the_mean_of_spearmans(experts: int) -> None:
    a, b = drawn(15, experts, 0, pull=0.5)
    b = b.round(decimals=0)  # with ties
    b[4] = 1.0  # an item that tells no expert apart

    found = agreement(a, b, relabellings=50)

    each = [spearman(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True) if len(set(y)) > 1]
    assert found.items == len(each) < 15
    assert found.rho == pytest.approx(np.mean(each), abs=1e-12)
    told = [row for row in b.tolist() if len(set(row)) > 1]
    kept = [row for row, other in zip(a.tolist(), b.tolist(), strict=True) if len(set(other)) > 1]
    crossed = np.mean([[spearman(x, y) for y in told] for x in kept])
    assert found.beyond == pytest.approx(np.mean(each) - crossed, abs=1e-12)
    assert found.low < found.rho < found.high


def test_an_expert_that_was_not_measured_is_left_out() -> None:
    a, b = drawn(12, 5, 1, pull=1.0)
    b[:, 2] = torch.nan
    left = [0, 1, 3, 4]

    assert agreement(a, b, relabellings=20) == agreement(a[:, left], b[:, left], relabellings=20)


def test_nothing_can_be_said_where_nothing_is_told_apart() -> None:
    found = agreement(torch.rand(4, 3), torch.zeros(4, 3))

    assert math.isnan(found.rho)
    assert math.isnan(found.p)
    assert found.items == 0


def test_what_is_planted_is_found_with_its_sign_and_nothing_is_not() -> None:
    nothing = [agreement(*drawn(20, 4, seed), relabellings=199, seed=seed) for seed in range(200)]
    planted = [agreement(*drawn(20, 4, seed, pull=3.0), relabellings=199, seed=seed) for seed in range(10)]
    turned = [agreement(*drawn(20, 4, seed, pull=-3.0), relabellings=199, seed=seed) for seed in range(10)]

    assert sum(one.p <= 0.05 for one in nothing) <= 14  # 7 %
    assert sum(one.p_beyond <= 0.05 for one in nothing) <= 14
    assert sum(one.low > 0 or one.high < 0 for one in nothing) <= 22  # a bootstrap of 20 items is a little narrow
    assert all(one.rho > 0 and one.p <= 0.01 for one in planted)
    assert all(one.rho < 0 and one.p <= 0.01 for one in turned)


def test_experts_that_are_good_for_all_items_are_agreed_on_but_tell_nothing_beyond() -> None:
    generator = torch.Generator().manual_seed(0)
    liked = torch.tensor([0.1, 0.2, 0.3, 0.4]).log() + 0.3 * torch.randn(40, 4, generator=generator)
    good = torch.tensor([1.0, 2, 3, 4]) + torch.randn(40, 4, generator=generator)

    found = agreement(liked.softmax(-1), good)

    assert found.rho > 0.5
    assert found.p < 0.001
    assert abs(found.beyond) < 0.1
    assert found.p_beyond > 0.05


def test_better_and_worse_are_two_questions() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(30, 3, generator=generator)
    rise = noise - noise.mean(0) + torch.tensor([1.0, -1.0, 0.0])

    found = signed(rise)

    assert found.worse[0] < 0.01 < 0.5 < found.better[0]
    assert found.better[1] < 0.01 < 0.5 < found.worse[1]
    assert min(found.better[2], found.worse[2]) > 0.05
    torch.testing.assert_close(found.rise.mean, rise.double().mean(0))


def test_signs_are_all_of_them_where_there_are_few() -> None:
    """Of 3 items one of 8 draws is as far: drawn often enough, 1/8."""
    found = signed(torch.tensor([[0.5], [1.0], [2.0]]), draws=20_000)

    assert float(found.worse[0]) == pytest.approx(1 / 8, abs=0.01)
    assert float(found.better[0]) == 1.0


def test_no_more_than_one_in_twenty_is_called_where_there_is_nothing() -> None:
    found = [
        signed(torch.randn(15, 1, generator=torch.Generator().manual_seed(seed)), draws=199) for seed in range(200)
    ]

    assert sum(float(one.better[0]) <= 0.05 for one in found) <= 17
    assert sum(float(one.worse[0]) <= 0.05 for one in found) <= 17


def adjusted(ps: list[float]) -> list[float]:
    order = sorted(ps)
    return [min(order[at] * len(ps) / (at + 1) for at in range(order.index(p), len(ps))) for p in ps]


def test_false_discoveries_are_adjusted_as_one_family() -> None:
    ps = torch.rand(4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    found = benjamini_hochberg(ps)

    torch.testing.assert_close(found.flatten(), torch.tensor(adjusted(ps.flatten().tolist()), dtype=torch.float64))
    with_none = torch.cat([ps.flatten(), torch.tensor([torch.nan], dtype=torch.float64)])
    torch.testing.assert_close(benjamini_hochberg(with_none)[:-1], found.flatten())
    assert bool(benjamini_hochberg(with_none)[-1].isnan())
    assert benjamini_hochberg(torch.tensor([torch.nan])).isnan().all()


def test_sets_are_all_there_are_or_so_many_with_every_expert_about_as_often() -> None:
    assert sets_of(4, 2) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    found = sets_of(32, 4, most=40, seed=1)
    times = [sum(expert in one for one in found) for expert in range(32)]
    assert len(set(found)) == 40
    assert all(len(set(one)) == 4 for one in found)
    assert set(times) == {5}
    assert sets_of(32, 4, most=40, seed=1) == found != sets_of(32, 4, most=40, seed=2)
