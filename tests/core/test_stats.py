"""Every statistic against NumPy in float64, or against what can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from garage_nb.core.stats import NAMES, TAU, Statistics, asked, real_tokens, reduce, rows_of
from garage_nb.errors import HookError, InputError
from tests.operations import Operations

LOGS = 1e-6  # what the entropy's float32 may cost, of itself or of 1


def found(x: Tensor, tau: float = TAU) -> Statistics:
    return Statistics.from_row(reduce(x, tau).tolist())


def by_numpy(x: Tensor, tau: float = TAU) -> dict[str, float]:
    a = x.to(torch.float64).numpy()
    energy = (a**2).sum(axis=1)
    share = a**2 / energy[:, None]
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    eigenvalues = np.linalg.eigvalsh(np.cov(a, rowvar=False, bias=True))
    return {
        "mean": a.mean(),
        "std": a.std(),
        "min": a.min(),
        "max": a.max(),
        "norm": np.linalg.norm(a, axis=1).mean(),
        "sparsity": (np.abs(a) <= tau * a.std()).mean(),
        "exact_zeros": (a == 0).mean(),
        "entropy": -(share * logs).sum(axis=1).mean(),
        "kurtosis": ((a - a.mean()) ** 4).mean() / a.var() ** 2,
        "effective_dimension": eigenvalues.sum() ** 2 / (eigenvalues**2).sum(),
        "non_finite": 0,
    }


def tensors() -> dict[str, Tensor]:
    drawn = torch.Generator().manual_seed(0)
    normal = torch.randn(40, 24, generator=drawn)
    return {
        "few tokens": normal[:5],
        "many tokens": torch.randn(300, 24, generator=drawn),
        "far from zero": normal + 1000,
        "an outlier": torch.where(normal > 2.5, 400.0, normal),
        "many zeros": normal.relu(),
        "one dimension large": normal * torch.arange(24).exp2(),
        "float16": normal.half(),
        "bfloat16": normal.bfloat16(),
        "near the end of float16": (normal.half() * 1e4).clamp(-6e4, 6e4),
        "tiny": normal * 1e-18,
        "huge": normal * 1e30,
        "out of float32's range": normal.double() * 1e-50,
        "all but constant": 1e6 + 0.1 * normal,
        "skewed, far from zero": 1e6 + 1e3 * normal.exp(),
        "tokens of one direction": torch.outer(normal[0], normal[:, 0]) + 300,
        "a first token unlike the others": torch.cat([normal[:1] * 3e3, normal[1:]]),
        "two tokens": normal[:2],
        "two dimensions": normal[:, :2],
        "a view": normal.T,
        "one token shared": normal[:1].double().expand(3, 24) + torch.eye(3, 24),
    }


@pytest.mark.parametrize("name", tensors())
@pytest.mark.parametrize("tau", [TAU, 0.5])
def test_equal_to_numpy_in_float64(name: str, tau: float) -> None:
    x = tensors()[name]

    statistics, expected = found(x, tau).as_dict(), by_numpy(x, tau)

    assert statistics.pop("entropy") == pytest.approx(expected.pop("entropy"), rel=LOGS, abs=LOGS)
    assert statistics == pytest.approx(expected, rel=1e-9, abs=1e-12 * float(x.abs().max()))


def test_a_large_constant_in_float16_does_not_overflow() -> None:
    statistics = found(torch.full((90, 1000), 300.0, dtype=torch.float16))

    assert statistics.norm == pytest.approx(300 * math.sqrt(1000), rel=1e-12)
    assert (statistics.mean, statistics.std) == (300, 0)
    assert statistics.entropy == pytest.approx(math.log(1000), rel=LOGS)


def test_a_small_spread_on_a_large_mean_is_not_lost() -> None:
    x = 10_000 + 0.01 * torch.randn(200, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    assert found(x).std == pytest.approx(float(x.numpy().std()), rel=1e-9)


@pytest.mark.parametrize("value", [0.1, -7.3, 1e-3])
def test_a_constant_has_no_spread(value: float) -> None:
    statistics = found(torch.full((37, 96), value))

    assert statistics.std == 0
    assert statistics.sparsity == 0
    assert math.isnan(statistics.kurtosis)
    assert math.isnan(statistics.effective_dimension)


def test_all_zeros() -> None:
    statistics = found(torch.zeros(4, 8))

    assert (statistics.sparsity, statistics.exact_zeros, statistics.entropy, statistics.norm) == (1, 1, 0, 0)


def test_a_single_token_has_no_effective_dimension() -> None:
    statistics = found(torch.tensor([[3.0, 4.0]]))

    assert math.isnan(statistics.effective_dimension)
    assert statistics.norm == 5
    assert statistics.entropy == pytest.approx(-(0.36 * math.log(0.36) + 0.64 * math.log(0.64)), rel=LOGS)


def test_a_single_dimension() -> None:
    statistics = found(torch.tensor([[3.0], [-1.0], [0.0]]))

    assert statistics.entropy == 0
    assert statistics.norm == pytest.approx(4 / 3)
    assert statistics.effective_dimension == pytest.approx(1)


def test_equal_tokens_span_no_direction() -> None:
    row = torch.randn(1, 16, generator=torch.Generator().manual_seed(2))

    assert math.isnan(found(row.repeat(30, 1)).effective_dimension)


def test_entropy_runs_from_one_dimension_to_all() -> None:
    assert found(torch.eye(6)).entropy == 0
    assert found(torch.ones(3, 6)).entropy == pytest.approx(math.log(6))


@pytest.mark.parametrize("directions", [1, 2, 5])
def test_effective_dimension_counts_directions(directions: int) -> None:
    orthogonal = torch.eye(8)[:directions]

    spread = torch.cat([orthogonal, -orthogonal])

    assert found(spread).effective_dimension == pytest.approx(directions)


def test_tau_moves_the_threshold() -> None:
    x = torch.randn(100, 100, generator=torch.Generator().manual_seed(3))

    assert found(x, 0.1).sparsity == pytest.approx(math.erf(0.1 / math.sqrt(2)), abs=0.01)
    assert found(x, 1.0).sparsity == pytest.approx(math.erf(1 / math.sqrt(2)), abs=0.01)
    assert found(x, 0).sparsity == found(x, 0).exact_zeros == 0


def test_zeros_are_reported_apart_from_sparsity() -> None:
    statistics = found(torch.tensor([[0.0, 0.05, 1.0, -1.0]]))

    assert (statistics.exact_zeros, statistics.sparsity) == (0.25, 0.5)


def test_non_finite_entries_are_counted() -> None:
    x = torch.tensor([[1.0, float("nan")], [float("inf"), float("-inf")]])

    assert found(x).non_finite == 3
    assert math.isnan(found(x).entropy)


def operations(names: tuple[str, ...]) -> list[str]:
    x = torch.randn(30, 20)
    seen = Operations()
    with seen:
        reduce(x, names=names)
    return seen.names


def test_nothing_waits_for_the_device() -> None:
    names = operations(NAMES)

    assert "mm" in names
    assert not {"_local_scalar_dense", "nonzero", "equal", "item", "masked_select", "is_nonzero"} & set(names)


def test_no_more_is_computed_than_was_asked() -> None:
    assert "mm" not in operations(tuple(name for name in NAMES if name != "effective_dimension"))
    assert "log_" not in operations(tuple(name for name in NAMES if name != "entropy"))
    assert len(operations(("norm",))) < len(operations(NAMES)) / 4


@pytest.mark.parametrize("name", NAMES)
def test_one_alone_has_the_same_bits_as_among_all(name: str) -> None:
    x = tensors()["far from zero"]

    assert reduce(x, names=(name,)).item() == reduce(x)[NAMES.index(name)].item()


def test_what_was_asked_comes_in_the_order_of_names_with_the_non_finite() -> None:
    assert asked(None) == NAMES
    assert asked(["norm", "mean"]) == ("mean", "norm", "non_finite")
    assert asked("non_finite") == asked(()) == ("non_finite",)
    with pytest.raises(InputError, match=r"no statistic 'size'.*\n.*effective_dimension"):
        asked(["mean", "size"])


def test_what_was_not_asked_is_not_a_number() -> None:
    statistics = Statistics.from_row([2.0, 1.0], ("norm", "non_finite"))

    assert (statistics.norm, statistics.non_finite) == (2, 1)
    assert sum(map(math.isnan, statistics.as_dict().values())) == len(NAMES) - 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_tensor_is_only_read(dtype: torch.dtype) -> None:
    x = torch.randn(9, 7, dtype=dtype)
    before = x.clone()

    reduce(x)

    assert torch.equal(x, before)


def test_the_numbers_come_in_the_order_of_their_names() -> None:
    assert reduce(torch.randn(3, 4)).shape == (len(NAMES),)


def test_padding_is_left_out() -> None:
    hidden = torch.randn(2, 3, 4)
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    real = torch.cat([hidden[0, :2], hidden[1]])

    assert torch.equal(rows_of(hidden, mask), real)
    assert torch.equal(rows_of(hidden, mask, real_tokens(mask)), real)
    assert torch.equal(rows_of(hidden.reshape(6, 4), mask), real)
    assert torch.equal(rows_of(hidden.repeat(1, 1, 2).reshape(2, 3, 2, 4), mask), real.repeat_interleave(2, dim=0))
    assert torch.equal(rows_of(hidden[:1], mask), torch.cat([hidden[0, :2], hidden[0]]))


def test_padding_that_cannot_be_found_is_refused() -> None:
    with pytest.raises(HookError, match=r"\(2, 4, 3, 8\)"):
        rows_of(torch.randn(2, 4, 3, 8), torch.tensor([[1, 1, 0], [1, 1, 1]]))
