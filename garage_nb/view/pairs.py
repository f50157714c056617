"""Pairs: two amounts for each name, as two points joined by a thin line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .lettering import lettered, name_rows
from .palette import PLOT_GRID, PLOT_INK
from .plots import axes, legend, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = 30  # characters
LEAST = 1e-9  # where a share of 0 is drawn, which has no place on a logarithmic axis


def pairs(
    names: Sequence[str],
    amounts: tuple[Sequence[float], Sequence[float]],
    labels: tuple[str, str],
    colors: tuple[str, str],
    *,
    across: str,
    ax: Axes | None = None,
) -> Axes:
    """Shares on a logarithmic axis, where one of a thousandth is seen beside one of a half; the first name on top.

    The first of each pair is a stroke, the second a disc, so that they are told apart without their colours too.
    """
    ax = axes(ax, (6.4, 1.1 + 0.27 * len(names)))
    ax.grid(visible=False, axis="y")
    ax.grid(axis="x", color=PLOT_GRID, linewidth=0.6)
    first, second = ([max(amount, LEAST) for amount in series] for series in amounts)
    places = range(len(names))
    ax.hlines(places, first, second, color=PLOT_INK, linewidth=0.8)
    (stroke,) = ax.plot(first, places, "|", color=colors[0], label=lettered(labels[0], NAME), markersize=11)
    stroke.set_markeredgewidth(2.2)
    ax.plot(second, places, "o", color=colors[1], label=lettered(labels[1], NAME), markersize=5.5)
    ax.set_xscale("log")
    ax.minorticks_off()
    name_rows(ax, names, 40)
    ax.invert_yaxis()
    say(ax, across, "")
    legend(ax)
    return ax
