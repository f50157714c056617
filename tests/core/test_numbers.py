"""Numbers as one writes them."""

from __future__ import annotations

from typing import Any

import pytest

from garage_nb.core.numbers import numbers
from garage_nb.errors import InputError


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("0.5", [0.5]), ("0,0.5, 2", [0, 0.5, 2]), ("0:1:0.25", [0, 0.25, 0.5, 0.75, 1]), ("1:3", [1, 2, 3]),
        ("2:0:-1", [2, 1, 0]), ("-1, 0:0.3:0.1", [-1, 0, 0.1, 0.2, 0.3]), (1.5, [1.5]), ([0, 1], [0, 1]), (2, [2]),
    ],
)  # fmt: skip
def test_the_end_of_a_range_belongs_to_it(said: Any, found: list[float]) -> None:
    assert numbers(said) == pytest.approx(found)


@pytest.mark.parametrize(
    "said", ["", "a", "1:2:0", "1:2:3:4", "2:0:1", "0:1:1e-9", "nan", "inf", [], None, "1,,2", object()]
)
def test_what_is_no_number_is_refused_in_two_lines(said: Any) -> None:
    with pytest.raises(InputError) as caught:
        numbers(said)

    assert str(caught.value).count("\n") == 1
