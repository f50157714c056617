"""Colours: squares of a matplotlib picture in the colours of a scale, the same as those of pages and widgets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from .palette import PLOT_GRID
from .scale import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

MISSING = "////"


def squares(
    ax: Axes, values: Sequence[Sequence[float]], scale: Scale, *, origin: Literal["lower", "upper"]
) -> AxesImage:
    """What is not finite is left out, and the ground hatched, so that it looks like no number there is."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    colours = LinearSegmentedColormap.from_list("garage", scale.stops)
    numbers = [[number if math.isfinite(number) else math.nan for number in row] for row in values]
    if any(math.isnan(number) for row in numbers for number in row):
        ground = Rectangle((0, 0), 1, 1, transform=ax.transAxes, zorder=-1, fill=False, linewidth=0)
        ground.set(hatch=MISSING, edgecolor=PLOT_GRID)
        ax.add_patch(ground)
    return ax.imshow(
        numbers, cmap=colours, aspect="auto", origin=origin, interpolation="nearest", vmin=scale.low, vmax=scale.high
    )
