"""Student's t against closed forms, printed tables, and the density summed up by NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from garage_nb.analyze.student import one_sided, quantile, two_sided


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 4.2, -2.0, 60.0])
def test_few_degrees_have_closed_forms(t: float) -> None:
    assert two_sided(t, 1) == pytest.approx(1 - 2 * math.atan(abs(t)) / math.pi, abs=1e-14)
    assert two_sided(t, 2) == pytest.approx(1 - abs(t) / math.sqrt(2 + t * t), abs=1e-14)


@pytest.mark.parametrize("freedom", [3, 4, 5, 8, 29, 200])
@pytest.mark.parametrize("t", [0.5, 1.7, 3.1])
def test_p_is_what_the_density_leaves(freedom: int, t: float) -> None:
    at = np.linspace(0, t, 200_001)
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    inside = 2 * np.trapezoid(scale * (1 + at**2 / freedom) ** (-(freedom + 1) / 2), at)

    assert two_sided(t, freedom) == pytest.approx(1 - inside, abs=1e-9)
    assert one_sided(t, freedom) == pytest.approx((1 - inside) / 2, abs=1e-9)
    assert one_sided(-t, freedom) == pytest.approx((1 + inside) / 2, abs=1e-9)


def test_quantiles_are_the_printed_ones() -> None:
    printed = {(0.975, 1): 12.706, (0.975, 4): 2.776, (0.8, 4): 0.941, (0.975, 30): 2.042, (0.95, 9): 1.833}

    assert {key: round(quantile(*key), 3) for key in printed} == printed
    assert quantile(0.975, 100_000) == pytest.approx(1.96, abs=0.003)


def test_ends() -> None:
    assert two_sided(math.inf, 4) == 0
    assert two_sided(0.0, 4) == 1
