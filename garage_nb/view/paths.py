"""Paths: several lines over one measured axis, each point with its whisker, told apart by colour, stroke and mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .lettering import lettered
from .palette import PLOT_INK
from .plots import STROKE, axes, legend, say
from .strokes import NAMED, unordered

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Path:
    """Points from left to right. No whisker for NaN."""

    at: Sequence[float]
    means: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]


def paths(
    series: Mapping[str, Path], label: str, *, across: str, level: tuple[str, float], ax: Axes | None = None
) -> Axes:
    """`level` is what a straight line is called and where it lies."""
    ax = axes(ax, (6.4, 3.6))
    ax.axhline(level[1], color=PLOT_INK, linewidth=1, linestyle=(0, (1, 3)), label=lettered(level[0]))
    for number, (name, path) in enumerate(series.items()):
        style = {**STROKE, **unordered(number)}
        ax.vlines(path.at, path.lows, path.highs, color=style["color"], linewidth=1.4, alpha=0.6)
        ax.plot(path.at, path.means, label=lettered(name), **style)
    say(ax, across, label)
    if len(series) <= NAMED:
        legend(ax)
    return ax
