"""Dots: one measure of several subjects at the same named places, side by side, each with its whisker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from .lettering import lettered, name_columns
from .palette import AMBER
from .plots import PLACES, STROKE, axes, legend, say
from .strokes import COLOURS, FEW, MARKS, NAMED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE, MOST = 0.5, 0.7  # of the way from one place to the next that a few, and many, subjects take together
FIGURE, BESIDE, WIDEST = 6.4, 1.5, 9.6  # inches across a picture of few dots; beside the places; across one of many
DOT = 0.13  # inches from one dot to the next, so that marks do not touch
NAME = 28  # letters of a subject's name


class Ranged(Protocol):
    """A number with where it could be; NaN where it, or that, is not known."""

    @property
    def value(self) -> float: ...

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def dots(
    names: Sequence[str],
    series: Mapping[str, Sequence[Ranged]],
    label: str,
    *,
    changed: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Subjects keep their order at every place. The one that is `changed` is amber: it is the user's doing."""
    many = DOT * len(series) * len(names) / MOST
    ax = axes(ax, (min(max(FIGURE, BESIDE + many), WIDEST), 3.6))
    wide = WIDE if len(series) <= len(FEW) else MOST
    plain = [name for name in series if name != changed]
    for number, (name, found) in enumerate(series.items()):
        color = AMBER if name == changed else COLOURS[plain.index(name) % len(COLOURS)]
        aside = wide * (number / (len(series) - 1) - 0.5) if len(series) > 1 else 0.0
        at = [place + aside for place in range(len(names))]
        ax.vlines(at, [one.low for one in found], [one.high for one in found], color=color, linewidth=1.4, alpha=0.7)
        style = {**STROKE, "linewidth": 0, "marker": MARKS[number % len(MARKS)], "color": color}
        ax.plot(at, [one.value for one in found], label=lettered(name, NAME), **style)
    ax.set_xlim(-0.5, len(names) - 0.5)
    name_columns(ax, names, PLACES)
    say(ax, "", label)
    if len(series) <= NAMED:
        legend(ax)
    return ax
