"""Lines: one measure of several subjects along the same named places, with the threshold it is held against."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .lettering import lettered, name_columns
from .palette import PLOT_INK
from .plots import PLACES, STROKE, axes, legend, say
from .strokes import NAMED, marked

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def lines(
    names: Sequence[str],
    series: Mapping[str, Sequence[float]],
    label: str,
    *,
    threshold: tuple[float, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """From left (input) to right (output). `threshold` is where it lies and what it says. A gap for NaN."""
    ax = axes(ax, (6.4, 3.4))
    for number, (name, values) in enumerate(series.items()):
        style = {**STROKE, **marked(number, len(series))}
        ax.plot(range(len(names)), values, label=lettered(name), **style)
    if threshold is not None:
        ax.axhline(threshold[0], color=PLOT_INK, linewidth=1, linestyle=(0, (6, 3)), label=lettered(threshold[1], 40))
    if all(value >= 0 for values in series.values() for value in values if math.isfinite(value)):
        ax.set_ylim(bottom=0)
    name_columns(ax, names, PLACES)
    say(ax, "", label)
    if len(series) <= NAMED and (len(series) > 1 or threshold is not None):
        legend(ax)
    return ax
