"""Matplotlib pictures of numbers computed elsewhere. Every function draws on an Axes and returns it.

Figures are made without pyplot's global state, so a widget callback on another thread can draw too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .palette import PLOT_AMOUNTS, PLOT_GRID, PLOT_INK, PLOT_LINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis


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
    ax.tick_params(colors=PLOT_INK, length=0, labelsize=9)
    ax.tick_params(axis="x", pad=8)  # clear of the lowest number beside the axis
    ax.grid(axis="y", color=PLOT_GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def line(
    names: Sequence[str],
    values: Sequence[float],
    *,
    label: str,
    ax: Axes | None = None,
    color: str = PLOT_LINE,
    name: str = "",
) -> Axes:
    """Values along named places, left (input) to right (output). `name` is for the legend."""
    ax = axes(ax)
    ax.plot(range(len(names)), values, color=color, marker="o", markersize=4, linewidth=1.4, label=name)
    if min(values) >= 0:
        ax.set_ylim(bottom=0, auto=True)  # amounts are read by their height; a second line may be higher
    every = max(1, len(names) // 12)
    ax.set_xticks(range(0, len(names), every), [shorten(place) for place in names[::every]], parse_math=False)
    if len(names) > 6:
        for tick in ax.get_xticklabels():
            tick.set(rotation=40, ha="right", rotation_mode="anchor")
    ax.set_ylabel(label, color=PLOT_INK, fontsize=9, parse_math=False)
    return ax


def grid(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float]],
    label: str,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Amounts as colours, one row of squares a name from bottom (input) to top (output)."""
    size = (max(4.0, 1.8 + 0.32 * len(columns)), max(1.8, 1.0 + 0.26 * len(rows)))
    ax = axes(ax, size)
    ax.grid(visible=False)
    picture = ax.imshow(values, cmap=PLOT_AMOUNTS, aspect="auto", origin="lower", interpolation="nearest")
    _ticks(ax.xaxis, columns, most=24)
    _ticks(ax.yaxis, rows, most=24)
    if max(map(len, columns), default=0) > 3:
        for tick in ax.get_xticklabels():
            tick.set(rotation=40, ha="right", rotation_mode="anchor")
    bar = ax.figure.colorbar(picture, ax=ax, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=PLOT_INK, length=0, labelsize=9)
    bar.set_label(label, color=PLOT_INK, fontsize=9, parse_math=False)
    return ax


def _ticks(axis: Axis, names: Sequence[str], most: int) -> None:
    every = -(-len(names) // most) or 1
    axis.set_ticks(range(0, len(names), every), [shorten(name) for name in names[::every]], parse_math=False)


def legend(ax: Axes) -> None:
    """Above the picture, where no line can run through it."""
    shown = ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, labelcolor=PLOT_INK, fontsize=9)
    for text in shown.get_texts():
        text.set_parse_math(False)


def shorten(name: str, width: int = 18) -> str:
    """Cut in the middle, where names differ least."""
    if len(name) <= width:
        return name
    keep = (width - 1) // 2
    return f"{name[:keep]}…{name[-keep:]}"
