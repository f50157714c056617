"""Matplotlib pictures of numbers computed elsewhere. Every function draws on an Axes and returns it.

Figures are made without pyplot's global state, so a widget callback on another thread can draw too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .colours import squares
from .lettering import deep, lettered, longest, measure, name_columns, name_rows, style, wide
from .palette import PLOT_GRID, PLOT_INK, PLOT_LINE
from .scale import Scale, scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STROKE: dict[str, Any] = {"marker": "o", "markersize": 4, "linewidth": 1.4, "clip_on": False}  # a point at 0 is whole
PLACES = 16  # named along an axis
SQUARE = (0.32, 0.6)  # inches across a column of a grid, as its names need
POINTED = "; pointed: beyond"
HANDLE = 0.5  # inches of a legend's stroke and of the gap behind its name


def axes(ax: Axes | None = None, size: tuple[float, float] = (6.4, 3.0)) -> Axes:
    """The given Axes, or one on a new figure, in the garage's look."""
    if ax is None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_alpha(0)
        ax = figure.add_subplot()
    ax.patch.set_alpha(0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(PLOT_GRID)
    ax.tick_params(which="both", colors=PLOT_INK, length=0, labelsize=9)
    ax.tick_params(axis="x", pad=8)  # clear of the lowest number beside the axis
    ax.grid(axis="y", color=PLOT_GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def line(
    names: Sequence[str],
    values: Sequence[float],
    *,
    label: str,
    across: str = "",
    ax: Axes | None = None,
    color: str = PLOT_LINE,
    name: str = "",
) -> Axes:
    """Values along named places, left (input) to right (output). `name` is for the legend, `across` says what the
    places are where their names do not.
    """
    ax = axes(ax)
    ax.plot(range(len(names)), values, color=color, **STROKE, label=lettered(name))
    if min(values) >= 0:
        ax.set_ylim(bottom=0, auto=True)  # amounts are read by their height; a second line may be higher
    name_columns(ax, names, PLACES)
    say(ax, across, label)
    return ax


def grid(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float]],
    label: str,
    *,
    across: str = "",
    top: float | None = None,
    signed: bool = False,
    scaled_by: Iterable[float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Numbers as colours, one row of squares a name from bottom (input) to top (output).

    Amounts go from 0 to `top` where one is given, else from the smallest to the largest. Signed numbers, as they are
    where one is below 0, go as far to either side of 0. `scaled_by` are the numbers that this is told by, all of them
    when left out: what lies beyond has the colour of the end, which is then a point. What is not finite is hatched.
    """
    square = min(max(SQUARE[0], wide(columns)), SQUARE[1])
    ax = axes(ax, (max(4.0, 1.8 + square * len(columns)), max(1.5, 0.4 + 0.26 * len(rows)) + deep(columns)))
    ax.grid(visible=False)
    ends = () if top is None else (0.0, top)
    every = itertools.chain.from_iterable(values) if scaled_by is None else scaled_by
    scale = scale_of(itertools.chain(ends, every), signed=signed)
    picture = squares(ax, values, scale, origin="lower")
    pointed = _beyond(values, scale)
    bar = ax.figure.colorbar(picture, ax=ax, pad=0.02, extend=pointed)
    name_columns(ax, columns, 24)  # in the room that the bar leaves them
    name_rows(ax, rows, 24)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=PLOT_INK, length=0, labelsize=9)
    measure(bar.ax.yaxis, f"{label}{POINTED if pointed != 'neither' else ''}", _inches(ax)[1] - deep(columns))
    say(ax, across, "")
    return ax


def _beyond(values: Sequence[Sequence[float]], scale: Scale) -> str:
    """At which ends of a scale there are numbers that it does not reach, as matplotlib calls them."""
    finite = [number for row in values for number in row if math.isfinite(number)]
    under, over = any(number < scale.low for number in finite), any(number > scale.high for number in finite)
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get((under, over), "neither")


def say(ax: Axes, across: str, up: str) -> None:
    """What the axes measure."""
    for axis, text, inches in zip((ax.xaxis, ax.yaxis), (across, up), _inches(ax), strict=True):
        if text:
            measure(axis, text, inches)


def _inches(ax: Axes) -> tuple[float, float]:
    return ax.bbox.width / ax.figure.dpi, ax.bbox.height / ax.figure.dpi


def legend(ax: Axes) -> None:
    """Above the picture, where no line can run through it, in as many columns as find room."""
    _, labels = ax.get_legend_handles_labels()
    columns = max(1, min(4, int(_inches(ax)[0] / (HANDLE + longest(labels)))))
    handles = {"handlelength": 1.4, "handletextpad": 0.6}
    shown = ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, **handles)
    for text in shown.get_texts():
        text.update(style())
