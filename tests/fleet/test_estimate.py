"""Estimates: arithmetic by hand, and what is no factor."""

from __future__ import annotations

from dataclasses import replace

import pytest

from garage_nb.errors import InputError
from garage_nb.fleet.estimate import Estimate, Factor


def made(**values: float) -> Estimate:
    given = {
        "tokens": 1e6, "chunk": 1e3, "parameters": 8e6, "measured": 2e6, "token": 1e-4, "workers": 10,
        "utilisation": 0.8, "driving": 1e-3, "merging": 1e-3, "moved": 1e4, "bandwidth": 1e6, "loading": 25,
    }  # fmt: skip
    return Estimate(**{name: Factor(value, "", f"of {name}") for name, value in {**given, **values}.items()})


def test_the_slowest_of_three_decides() -> None:
    one = made()

    assert one.chunks == 1000
    assert one.computing == pytest.approx(1e6 * 4e-4 / 8)
    assert one.settling == pytest.approx(2.0)
    assert one.moving == pytest.approx(10.0)
    assert one.hours == pytest.approx(75 / 3600)
    assert made(driving=0.999).hours == pytest.approx((25 + 1000) / 3600)
    assert made(bandwidth=1e5).hours == pytest.approx((25 + 100) / 3600)
    assert made(tokens=1e6 + 1).chunks == 1001


def test_every_factor_says_where_it_comes_from() -> None:
    frame = made().frame()

    assert list(frame.columns) == ["value", "unit", "source"]
    assert frame["source"]["token"] == "of token"
    assert frame["value"]["hours"] == made().hours
    assert (frame["source"] != "").all()
    assert "0.0208 hours" in repr(made())


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_factor_is_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"bandwidth is .* bytes a second"):
        replace(made(), bandwidth=Factor(value, "bytes a second", "nobody"))
