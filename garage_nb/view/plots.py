"""Matplotlib pictures of numbers computed elsewhere. Every function draws on an Axes and returns it.

Figures are made without pyplot's global state, so a widget callback on another thread can draw too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .lettering import lettered, name_ticks, slanted, style
from .palette import PLOT_AMOUNTS, PLOT_GRID, PLOT_INK, PLOT_LINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL = 80  # characters of what an axis says of itself
LETTERS = 78  # that stand side by side under a picture


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
    across: str = "",
    ax: Axes | None = None,
    color: str = PLOT_LINE,
    name: str = "",
) -> Axes:
    """Values along named places, left (input) to right (output). `name` is for the legend, `across` says what the
    places are where their names do not.
    """
    ax = axes(ax)
    ax.plot(range(len(names)), values, color=color, marker="o", markersize=4, linewidth=1.4, label=lettered(name))
    if min(values) >= 0:
        ax.set_ylim(bottom=0, auto=True)  # amounts are read by their height; a second line may be higher
    name_ticks(ax.xaxis, names, 12, **slanted(names, LETTERS))
    say(ax, across, label)
    return ax


def grid(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float]],
    label: str,
    *,
    across: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Amounts as colours, one row of squares a name from bottom (input) to top (output)."""
    size = (max(4.0, 1.8 + 0.32 * len(columns)), max(1.8, 1.0 + 0.26 * len(rows)))
    ax = axes(ax, size)
    ax.grid(visible=False)
    picture = ax.imshow(values, cmap=PLOT_AMOUNTS, aspect="auto", origin="lower", interpolation="nearest")
    name_ticks(ax.xaxis, columns, 24, **slanted(columns, 4 * len(columns)))
    name_ticks(ax.yaxis, rows, 24)
    say(ax, across, "")
    bar = ax.figure.colorbar(picture, ax=ax, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=PLOT_INK, length=0, labelsize=9)
    bar.set_label(lettered(label, LABEL), **style())
    return ax


def say(ax: Axes, across: str, up: str) -> None:
    """What the axes measure."""
    if across:
        ax.set_xlabel(lettered(across, LABEL), **style())
    if up:
        ax.set_ylabel(lettered(up, LABEL), **style())


def legend(ax: Axes) -> None:
    """Above the picture, where no line can run through it."""
    shown = ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False)
    for text in shown.get_texts():
        text.update(style())
