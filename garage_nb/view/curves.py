"""Curves: several lines over one numbered axis, told apart by their colour and by their stroke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .lettering import lettered
from .palette import PLOT_AMOUNTS
from .plots import axes, legend, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STROKES = ("-", "--", ":", "-.")
NAMED = 12  # lines in a legend; more of them are told apart by their colours alone


def curves(
    series: Mapping[str, Sequence[float]], label: str, *, across: str, log: bool = False, ax: Axes | None = None
) -> Axes:
    """Values at 1, 2, 3 …; on a logarithmic axis what is not above 0 is left out."""
    from matplotlib import colormaps

    ax = axes(ax, (6.4, 3.4))
    colours = colormaps[PLOT_AMOUNTS]
    for number, (name, values) in enumerate(series.items()):
        shade = colours(0.15 + 0.7 * number / max(1, len(series) - 1))
        stroke = STROKES[number % len(STROKES)]
        ax.plot(range(1, len(values) + 1), values, stroke, color=shade, linewidth=1.4, label=lettered(name))
    if log and any(value > 0 for values in series.values() for value in values):
        ax.set_yscale("log")
    say(ax, across, label)
    if 1 < len(series) <= NAMED:
        legend(ax)
    return ax
