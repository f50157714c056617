"""Curves: several lines over one numbered axis, told apart by their colour and by their stroke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .lettering import lettered
from .plots import axes, legend, say
from .strokes import NAMED, stroke

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def curves(
    series: Mapping[str, Sequence[float]], label: str, *, across: str, log: bool = False, ax: Axes | None = None
) -> Axes:
    """Values at 1, 2, 3 …; on a logarithmic axis what is not above 0 is left out."""
    ax = axes(ax, (6.4, 3.4))
    for number, (name, values) in enumerate(series.items()):
        style = stroke(number, len(series))
        ax.plot(range(1, len(values) + 1), values, linewidth=1.4, label=lettered(name), **style)
    if log and any(value > 0 for values in series.values() for value in values):
        ax.set_yscale("log")
    say(ax, across, label)
    if 1 < len(series) <= NAMED:
        legend(ax)
    return ax
