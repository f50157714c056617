"""Mosaic: many small pictures of amounts as one, one row of tiles a name from bottom (input) to top (output)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .lettering import lettered, measure, style
from .palette import PLOT_AMOUNTS, PLOT_INK
from .plots import axes, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

Tile = Sequence[Sequence[float]]
INCHES, MOST = 0.62, 14.0  # of a tile, and of the picture
NAMED = 24  # rows and columns of tiles


def mosaic(tiles: Mapping[str, Sequence[Tile]], label: str, *, across: str, ax: Axes | None = None) -> Axes:
    """Amounts as colours from 0 to 1. Tiles are numbered from left to right; in each the first row is on top."""
    columns = max(map(len, tiles.values()))
    rows = list(tiles.items())[::-1]
    high = 1 + max(len(tile) for _, row in rows for tile in row)
    wide = 1 + max(len(tile[0]) for _, row in rows for tile in row)
    ax = axes(ax, (min(max(4.0, 2.4 + INCHES * columns), MOST), min(max(1.8, 0.7 + INCHES * len(rows)), MOST)))
    ax.grid(visible=False)
    squares = [line for _, row in rows for line in _lines(row, columns, high, wide)]
    picture = ax.imshow(squares, cmap=PLOT_AMOUNTS, aspect="auto", interpolation="nearest", vmin=0, vmax=1)
    _name(ax.yaxis, [name for name, _ in rows], high)
    _name(ax.xaxis, [str(place) for place in range(columns)], wide)
    bar = ax.figure.colorbar(picture, ax=ax, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=PLOT_INK, length=0, labelsize=9)
    measure(bar.ax.yaxis, label, ax.bbox.height / ax.figure.dpi)
    say(ax, across, "")
    return ax


def _lines(row: Sequence[Tile], columns: int, high: int, wide: int) -> list[list[float]]:
    """The squares of one row of tiles; NaN, which is not drawn, where there is none."""
    blank = [math.nan] * wide
    tiles = [[[*line, *blank[len(line) :]] for line in tile] + [blank] * (high - len(tile)) for tile in row]
    tiles += [[blank] * high] * (columns - len(row))
    return [[square for tile in tiles for square in tile[line]] for line in range(high)]


def _name(axis: Axis, names: Sequence[str], size: int) -> None:
    every = -(-len(names) // NAMED)
    middles = [(place + 0.5) * size - 1 for place in range(0, len(names), every)]
    axis.set_ticks(middles, [lettered(name) for name in names[::every]], **style())
