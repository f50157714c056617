"""Dots: every number at its place with its whisker, amber for what is the user's, and a legend that fits."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from garage_nb.view.dots import dots
from garage_nb.view.palette import AMBER
from garage_nb.view.plots import axes, legend


def ranged(*values: float) -> list[Any]:
    return [SimpleNamespace(value=value, low=value - 0.1, high=value + 0.2) for value in values]


def test_numbers_stand_beside_each_other_with_their_whiskers() -> None:
    found = dots(["a", "b"], {"mine": ranged(0.5, 0.7), "other": ranged(0.4, math.nan)}, "amount", changed="mine")

    mine, other = found.lines
    assert mine.get_ydata().tolist() == [0.5, 0.7]
    assert math.isnan(other.get_ydata()[1])
    assert (np.asarray(mine.get_xdata()) < np.asarray(other.get_xdata())).all()
    assert [round(float(at)) for at in mine.get_xdata()] == [0, 1]
    assert (mine.get_color(), mine.get_linewidth()) == (AMBER, 0)
    assert AMBER not in (other.get_color(),)
    assert mine.get_marker() != other.get_marker()
    whiskers: Any = found.collections[0]
    assert [path[:, 1].tolist() for path in whiskers.get_segments()] == [[0.4, 0.7], pytest.approx([0.6, 0.9])]
    assert found.get_ylabel() == "amount"
    assert [text.get_text() for text in found.get_legend().get_texts()] == ["mine", "other"]


def test_one_subject_stands_in_the_middle() -> None:
    found = dots(["a", "b", "c"], {"alone": ranged(1, 2, 3)}, "amount")

    assert list(found.lines[0].get_xdata()) == [0, 1, 2]


@pytest.mark.parametrize(("name", "columns"), [("a", 4), ("a name of eighteen", 2)])
def test_a_legend_takes_no_room_from_the_picture(name: str, columns: int) -> None:
    ax = axes()
    for number in range(4):
        ax.plot([0, 1], [0, number], label=f"{name}{number}"[-18:])

    legend(ax)
    figure: Any = ax.figure
    figure.draw_without_rendering()

    shown: Any = ax.get_legend()
    assert shown._ncols == columns
    assert ax.bbox.width / ax.figure.bbox.width > 0.8
