"""TensorUtils: distances by hand, statistics by name."""

from __future__ import annotations

import math

import pytest
import torch

from garage_nb.core.stats import NAMES
from garage_nb.core.tensor import TensorUtils
from garage_nb.errors import InputError


def test_stats_hold_every_statistic_shape_and_threshold() -> None:
    stats = TensorUtils.stats(torch.tensor([[[3.0, 4.0], [0.0, 5.0]]]), tau=0.2)

    assert set(stats) == {*NAMES, "shape", "dtype", "tau"}
    assert (stats["mean"], stats["norm"], stats["exact_zeros"]) == (3, 5, 0.25)
    assert (stats["shape"], stats["dtype"], stats["tau"]) == ((1, 2, 2), "torch.float32", 0.2)


def test_stats_of_a_vector_and_of_integers() -> None:
    assert TensorUtils.stats(torch.tensor([1, 2, 3]))["mean"] == 2
    assert TensorUtils.stats(torch.ones(7))["std"] == 0


def test_nothing_has_no_statistics() -> None:
    with pytest.raises(InputError, match="empty"):
        TensorUtils.stats(torch.ones(0, 3))


def test_cosine_of_the_angle() -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0])

    assert TensorUtils.cosine_sim(a, b) == TensorUtils.cosine_similarity(a, b) == pytest.approx(math.sqrt(0.5))
    assert TensorUtils.cosine_sim(a, -a) == -1
    assert math.isnan(TensorUtils.cosine_sim(a, 0 * a))


def test_distance_does_not_overflow_in_float16() -> None:
    a = torch.full((90_000,), 300.0, dtype=torch.float16)

    assert TensorUtils.l2_distance(a, 0 * a) == 90_000


def test_unlike_shapes_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(2,\) and \(3,\)"):
        TensorUtils.l2_distance(torch.ones(2), torch.ones(3))
