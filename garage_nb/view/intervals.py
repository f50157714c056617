"""Intervals: means with whiskers at named places, and a line at nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .lettering import name_columns
from .palette import PLOT_GRID, PLOT_LINE
from .plots import PLACES, STROKE, axes, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def intervals(
    names: Sequence[str],
    means: Sequence[float],
    lows: Sequence[float],
    highs: Sequence[float],
    *,
    label: str,
    across: str = "",
    joined: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """From left (input) to right (output). `joined` where the places are amounts of one thing. No whisker for NaN."""
    ax = axes(ax)
    ax.axhline(0, color=PLOT_GRID, linewidth=1)
    ax.vlines(range(len(names)), lows, highs, color=PLOT_LINE, linewidth=1.4, alpha=0.6)
    ax.plot(range(len(names)), means, color=PLOT_LINE, **{**STROKE, "linewidth": 1.4 if joined else 0})
    name_columns(ax, names, PLACES)
    say(ax, across, label)
    return ax
