"""Bands: effects with their whiskers, one row a name, before the band in which effects lie that mean nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .lettering import lettered, longest, name_rows
from .palette import PLOT_GRID, PLOT_INK
from .plots import STROKE, axes, legend, say
from .strokes import NAMED, marked

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .dots import Ranged

ROOM = 5.2  # inches beside the names
NAME = 40  # letters of one: a still picture has no hover to show it whole


def bands(
    groups: Mapping[str, Mapping[str, Ranged]],
    label: str,
    *,
    band: tuple[str, float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Names from top to bottom, group by group, each group with its own colour and mark; a line at nothing.

    `band` is what it is called, and from where to where it goes. No whisker for NaN.
    """
    names = [name for group in groups.values() for name in group]
    ax = axes(ax, (ROOM + longest(lettered(name, NAME) for name in names), 1.5 + 0.27 * len(names)))
    ax.grid(visible=False, axis="y")
    ax.grid(axis="x", color=PLOT_GRID, linewidth=0.6)
    if band is not None:
        ax.axvspan(band[1], band[2], color=PLOT_GRID, linewidth=0, zorder=0, label=lettered(band[0], 40))
    ax.axvline(0, color=PLOT_INK, linewidth=1)
    row = 0
    for number, (group, found) in enumerate(groups.items()):
        rows, style = range(row, row + len(found)), marked(number, len(groups))
        lows, highs = [one.low for one in found.values()], [one.high for one in found.values()]
        ax.hlines(rows, lows, highs, color=style["color"], linewidth=1.6, alpha=0.8)
        points = [one.value for one in found.values()]
        ax.plot(points, rows, label=lettered(group), **{**STROKE, **style, "linewidth": 0, "markersize": 5.5})
        row += len(found)
    name_rows(ax, names, 40, letters=NAME)
    ax.set_ylim(-0.6, max(len(names), 1) - 0.4)
    ax.invert_yaxis()
    say(ax, label, "")
    if len(groups) <= NAMED:
        legend(ax)
    return ax
