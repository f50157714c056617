"""Outlined: squares of a grid that stand out by a line around them, whatever their colour."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .palette import PLOT_INK
from .scale import BRIGHT, DARK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INSET = 0.06  # of a square


def outline(ax: Axes, squares: Iterable[tuple[int, int]]) -> None:
    """By (row, column), on axes that `plots.grid` drew."""
    from matplotlib.patches import Rectangle

    side = 1 - 2 * INSET
    for row, column in squares:
        corner = (column - 0.5 + INSET, row - 0.5 + INSET)
        for colour, width in ((BRIGHT, 2.8), (DARK, 1.2)):  # one of the two is seen on any colour
            ax.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=colour, linewidth=width))


def divide(ax: Axes, row: int) -> None:
    """A line below a row, from which on something else is shown."""
    ax.axhline(row - 0.5, color=PLOT_INK, linewidth=2)
