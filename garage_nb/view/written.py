"""Written: how sure a model was of each token that it wrote, along one text or along two that part somewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .lettering import deep, name_columns, style
from .plots import STROKE, axes, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES = (6.4, 14.0)  # at least, and at most
MOST = 48  # tokens named
Text = tuple[Sequence[str], Sequence[float]]


def written(texts: Mapping[str, Text], colors: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Tokens and their probabilities, by the text's name. The first is spelt below the picture, a second one above."""
    longest = max(1, *(len(tokens) for tokens, _ in texts.values()))
    height = 2.2 + sum(deep(tokens) for tokens, _ in texts.values())
    ax = axes(ax, (min(max(INCHES[0], 1 + 0.3 * longest), INCHES[1]), height))
    for (_, shares), color in zip(texts.values(), colors, strict=True):
        ax.plot(range(len(shares)), shares, color=color, **STROKE)
    ax.set_ylim(0, 1)
    sides = [ax] if len(texts) == 1 else [ax, _above(ax)]
    for (name, (tokens, _)), color, side in zip(texts.items(), colors, sides, strict=True):
        name_columns(side, tokens, MOST, top=side is not ax, color=color)
        side.set_xlim(-0.5, longest - 0.5)
        if len(texts) > 1:
            side.set_xlabel(name, loc="left", **style(color=color))
    say(ax, "", "probability of each token")
    return ax


def _above(ax: Axes) -> Axes:
    """A second row of names over the same places."""
    above = ax.twiny()
    above.patch.set_alpha(0)
    above.spines[:].set_visible(False)
    above.tick_params(length=0, labelbottom=False, pad=8)
    return above
