"""Written: how sure a model was of each token that it wrote, along one text or along two that part somewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .lettering import name_ticks, style
from .plots import axes, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES = (6.4, 14.0)  # at least, and at most
MOST = 48  # tokens named
Text = tuple[Sequence[str], Sequence[float]]


def written(texts: Mapping[str, Text], colors: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Tokens and their probabilities, by the text's name. The first is spelt below the picture, a second one above."""
    longest = max(len(tokens) for tokens, _ in texts.values())
    ax = axes(ax, (min(max(INCHES[0], 1 + 0.3 * longest), INCHES[1]), 3.0))
    for (_, shares), color in zip(texts.values(), colors, strict=True):
        ax.plot(range(len(shares)), shares, color=color, marker="o", markersize=4, linewidth=1.4)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlim(-0.5, longest - 0.5)
    for (name, (tokens, _)), color, where in zip(texts.items(), colors, (ax, _above(ax)), strict=False):
        name_ticks(where.xaxis, tokens, MOST, color=color, **_slant(top=where is not ax))
        where.set_xlabel(name, **style(color=color))
        where.set_xlim(ax.get_xlim())
    say(ax, "", "probability of the token written")
    return ax


def _above(ax: Axes) -> Axes:
    """A second row of names over the same places."""
    above = ax.twiny()
    above.patch.set_alpha(0)
    above.spines[:].set_visible(False)
    above.tick_params(length=0, labelbottom=False)
    above.set_xticks([])
    return above


def _slant(*, top: bool) -> dict[str, object]:
    return {"rotation": 40, "ha": "left" if top else "right", "rotation_mode": "anchor"}
