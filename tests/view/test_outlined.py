"""Outlined squares: seen on any colour, and inside the square that they are about."""

from __future__ import annotations

from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from garage_nb.view.outlined import divide, outline
from garage_nb.view.plots import grid
from garage_nb.view.scale import BRIGHT, DARK


def test_a_square_has_a_dark_line_within_a_bright_one() -> None:
    ax = grid(["a", "b"], ["x", "y", "z"], [[0, 1, 2], [3, 4, 5]], "amount")

    outline(ax, [(1, 2)])

    drawn = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert [to_hex(one.get_edgecolor()) for one in drawn] == [BRIGHT, DARK]
    assert drawn[0].get_linewidth() > drawn[1].get_linewidth()
    for one in drawn:
        (left, bottom), width, height = one.get_xy(), one.get_width(), one.get_height()
        assert 1.5 < left < left + width < 2.5
        assert 0.5 < bottom < bottom + height < 1.5


def test_a_line_between_two_rows() -> None:
    ax = grid(["a", "b"], ["x"], [[0], [1]], "amount")

    divide(ax, 1)

    assert [list(line.get_ydata()) for line in ax.lines] == [[0.5, 0.5]]
