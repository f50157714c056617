"""Bands: effects with their whiskers, one row a name, before the band in which effects lie that mean nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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
    reach: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Names from top to bottom, group by group, each group with its own colour and mark; a line at nothing.

    `band` is what it is called, and from where to where it goes. No whisker for NaN. What lies beyond `reach`, from
    where to where the axis goes, is pointed to at its end.
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
        inside = [point if reach is None or reach[0] <= point <= reach[1] else math.nan for point in points]
        ax.plot(inside, rows, label=lettered(group), **{**STROKE, **style, "linewidth": 0, "markersize": 5.5})
        if reach is not None:
            _point(ax, zip(points, rows, strict=True), reach, str(style["color"]))
        row += len(found)
    name_rows(ax, names, 40, letters=NAME)
    ax.set_ylim(-0.6, max(len(names), 1) - 0.4)
    ax.invert_yaxis()
    if reach is not None:
        ax.set_xlim(*reach)
    say(ax, label, "")
    if len(groups) <= NAMED:
        legend(ax)
    return ax


def _point(ax: Axes, points: Iterable[tuple[float, int]], reach: tuple[float, float], color: str) -> None:
    for point, row in points:
        if not reach[0] <= point <= reach[1]:
            end, mark = (reach[0], "<") if point < reach[0] else (reach[1], ">")
            ax.plot([end], [row], marker=mark, color=color, markersize=6, clip_on=False)
