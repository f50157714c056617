"""The legend of a shade in a static picture: what the number is, the least and the largest, and the colours between."""

from __future__ import annotations

from ..view.markup import line
from .shade import Shade

WIDTH, HEIGHT = 160, 8
ENDS = "margin-left:12px;white-space:nowrap"


def legend(shade: Shade) -> str:
    """Steps, not a gradient: each is a colour that a part can have."""
    if not shade:
        return ""
    return f'<div style="padding-top:4px">{line(shade.told)}{_bar(shade) if shade.finite else ""}</div>'


def _bar(shade: Shade) -> str:
    width = WIDTH / len(shade.scale.stops)
    steps = "".join(
        f'<rect x="{i * width:.2f}" width="{width:.2f}" height="{HEIGHT}" fill="{stop}"/>'
        for i, stop in enumerate(shade.scale.stops)
    )
    bar = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" aria-hidden="true">{steps}</svg>'
    low, high = shade.ends
    return f' <span style="{ENDS}">{low} {bar} {high}</span>'
