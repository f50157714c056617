"""Lines: every subject's values where they belong, told apart without colour, and the threshold among them."""

from __future__ import annotations

import math

from garage_nb.view.lines import lines
from garage_nb.view.palette import PLOT_INK


def test_a_line_a_subject_and_the_threshold() -> None:
    ax = lines(
        ["a", "b", "c"], {"one": [1, 2, 3], "two": [math.nan, 0.5, 1]}, "amount", threshold=(9, "flagged from 9")
    )

    first, second, limit = ax.lines
    assert list(first.get_ydata()) == [1, 2, 3]
    assert math.isnan(second.get_ydata()[0])
    assert (first.get_marker(), first.get_linestyle()) != (second.get_marker(), second.get_linestyle())
    assert (limit.get_ydata()[0], limit.get_color()) == (9, PLOT_INK)
    low, high = ax.get_ylim()
    assert low == 0
    assert high >= 9
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two", "flagged from 9"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["a", "b", "c"]


def test_one_line_without_a_threshold_needs_no_legend() -> None:
    ax = lines(["a", "b"], {"one": [-1, 2]}, "amount")

    assert ax.get_legend() is None
    assert ax.get_ylim()[0] < -1


def test_lines_are_told_apart_without_their_colours_up_to_four_of_one() -> None:
    ax = lines(["a", "b"], {str(number): [number, 1] for number in range(12)}, "amount")

    looks = {(line.get_color(), line.get_marker()) for line in ax.lines}
    assert len(looks) == 12
