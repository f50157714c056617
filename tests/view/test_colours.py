"""Pictures in the colours of pages: amounts, signed numbers around 0, and what is missing."""

from __future__ import annotations

import math
from typing import Any

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from garage_nb.view.palette import AMOUNTS, CHANGES
from garage_nb.view.plots import grid
from garage_nb.view.scale import scale_of


def drawn(rows: list[list[float]], **options: Any) -> Any:
    names = [f"layer_{row}" for row in range(len(rows))]
    return grid(names, [str(column) for column in range(len(rows[0]))], rows, "what it is", **options)


def colour(ax: Any, number: float) -> str:
    picture = ax.images[0]
    return to_hex(picture.cmap(picture.norm(number)))


def hatched(ax: Any) -> list[Rectangle]:
    return [patch for patch in ax.patches if patch.get_hatch()]


@pytest.mark.parametrize("rows", [[[0.5, 2.0, 1.0]], [[-1.0, 4.0, 0.0]], [[-3.0, -2.0, -1.0]]])
def test_a_number_has_the_colour_that_it_has_on_a_page(rows: list[list[float]]) -> None:
    scale, ax = scale_of(rows[0]), drawn(rows)

    for number in rows[0]:
        both = bytes.fromhex(colour(ax, number)[1:]), bytes.fromhex(scale.colour(number)[1:])
        assert all(abs(a - b) <= 2 for a, b in zip(*both, strict=True))  # matplotlib has 256 steps
    assert (ax.images[0].norm.vmin, ax.images[0].norm.vmax) == (scale.low, scale.high)


def test_below_zero_is_blue_nothing_is_pale_and_above_is_orange() -> None:
    ax = drawn([[-1.0, 0.25, 0.5]])

    assert (colour(ax, -1.0), colour(ax, 1.0)) == (CHANGES[0], CHANGES[-1])
    assert all(part > 0xF0 for part in bytes.fromhex(colour(ax, 0.0)[1:]))


def test_signed_by_nature_or_with_a_top() -> None:
    signed, topped, both = drawn([[0.0, 2.0]], signed=True), drawn([[0.1, 0.2]], top=1.0), drawn([[-0.1, 0.2]], top=1.0)

    ends = [(ax.images[0].norm.vmin, ax.images[0].norm.vmax) for ax in (signed, topped, both)]
    assert ends == [(-2.0, 2.0), (0.0, 1.0), (-1.0, 1.0)]
    assert colour(topped, 0.0) == AMOUNTS[0]


def test_what_lies_beyond_the_numbers_it_is_told_by_has_the_colour_of_the_end_which_is_a_point() -> None:
    rows = [[0.0, 1.0, 9.0], [0.5, math.nan, -0.5]]

    cut, amounts, whole = (
        drawn(rows, scaled_by=[0.0, 1.0], signed=True),
        drawn([[2.0, 3.0, 1.0]], scaled_by=[2.0, 3.0]),
        drawn(rows),
    )

    assert colour(cut, 9.0) == colour(cut, 1.0) == CHANGES[-1]
    assert colour(cut, 0.5) != colour(cut, 0.0)
    assert [ax.images[0].colorbar.extend for ax in (cut, amounts, whole)] == ["max", "min", "neither"]
    said = [ax.images[0].colorbar.ax.get_ylabel().replace("\n", " ") for ax in (cut, amounts, whole)]
    assert said == ["what it is; pointed: beyond"] * 2 + ["what it is"]


@pytest.mark.parametrize("missing", [math.nan, math.inf])
def test_what_is_missing_is_hatched_and_has_no_colour(missing: float) -> None:
    ax, whole = drawn([[1.0, missing], [2.0, 3.0]]), drawn([[1.0, 1.5], [2.0, 3.0]])

    assert bool(ax.images[0].get_array().mask[0, 1])
    assert (ax.images[0].norm.vmin, ax.images[0].norm.vmax) == (1.0, 3.0)
    assert len(hatched(ax)) == 1
    assert hatched(ax)[0].get_zorder() < ax.images[0].get_zorder()
    assert hatched(whole) == []
