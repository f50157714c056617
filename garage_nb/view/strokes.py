"""Strokes: how several lines of one picture are told apart on white and on black: by colour, by stroke and by mark."""

from __future__ import annotations

from typing import Any

from .palette import PLOT_AMOUNTS, PLOT_INK, PLOT_LINE, PLOT_MORE, PLOT_OTHER

NAMED = 12  # lines in a legend; more of them are told apart by their colours alone
FEW = (PLOT_LINE, PLOT_OTHER, PLOT_INK)
COLOURS = (*FEW, *PLOT_MORE)  # of subjects that stand in no order: none is more than another
SEEN = (0.42, 0.75)  # of the scale of amounts: what lies between can be read on both grounds
DASHES, MARKS = ("-", "--", ":", "-."), "os^DvPX*"  # a colour that comes again has another of each


def stroke(number: int, count: int) -> dict[str, Any]:
    """Colour and stroke of one line of several."""
    return {"color": _colour(number, count), "linestyle": DASHES[number % len(DASHES)]}


def marked(number: int, count: int) -> dict[str, Any]:
    """With a mark at each point."""
    return {**stroke(number, count), "marker": MARKS[number % len(MARKS)]}


def unordered(number: int) -> dict[str, Any]:
    """The same of one subject of several that stand in no order."""
    colour, dashes = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
    return {"color": colour, "linestyle": dashes, "marker": MARKS[number % len(MARKS)]}


def _colour(number: int, count: int) -> Any:
    """More than a few in the order of the scale, so that neighbours look alike."""
    from matplotlib import colormaps

    if count <= len(FEW):
        return FEW[number]
    low, high = SEEN
    return colormaps[PLOT_AMOUNTS](low + (high - low) * number / (count - 1))
