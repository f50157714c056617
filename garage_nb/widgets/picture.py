"""The machine as one self-contained svg: what stands in where no kernel and no script runs.

It takes its colour from the text around it (`currentColor`), so it fits light and dark pages alike.
"""

from __future__ import annotations

from collections.abc import Collection
from html import escape
from typing import NamedTuple

from ..registry.specs import ModelSpec
from ..view.palette import AMBER
from .machine import ATTENTION, FFN, RESIDUAL, Place, Row, about, rows

WIDTH, ROW, BOX = 440, 26, 20
AXIS = WIDTH // 2
NODE, BRANCH, TRUNK, MARK, GAP = 34, 130, 120, 4, 12
LONGEST = 20  # characters that fit a box at 11 px


class Box(NamedTuple):
    x: int
    y: int
    width: int
    height: int

    @property
    def middle(self) -> int:
        return self.x + self.width // 2


def picture(spec: ModelSpec, *, picked: Collection[str], changed: Collection[str]) -> str:
    """Output on top. Picked parts are filled, changed ones amber, and each part's words show on hover."""
    drawn = list(reversed(rows(spec)))
    heading = escape(f"{spec.model_id}: {about(spec)}")
    height = len(drawn) * ROW
    body = "".join(_row(row, i * ROW, len(drawn), picked, changed) for i, row in enumerate(drawn))
    caption = f"{heading}. {escape(_told(picked, changed))}"
    return (
        '<figure style="margin:0;max-height:520px;overflow:auto">'
        f'<figcaption style="font:12px system-ui,sans-serif;padding:4px 0">{caption}</figcaption>'
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{heading}" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" style="max-width:100%;height:auto;font:11px system-ui,sans-serif" fill="none">'
        f"{body}</svg></figure>"
    )


def shorten(name: str, longest: int = LONGEST) -> str:
    """The name, its middle left out when it is longer than `longest` characters."""
    if len(name) <= longest:
        return name
    tail = (longest - 1) // 2
    return f"{name[: longest - 1 - tail]}…{name[-tail:]}"


def _told(picked: Collection[str], changed: Collection[str]) -> str:
    told = f"Picked: {', '.join(picked) or 'nothing'}."
    return f"{told} Changed: {', '.join(changed)}." if changed else told


def _row(row: Row, top: int, count: int, picked: Collection[str], changed: Collection[str]) -> str:
    boxes = {place.name: _box(place, top) for place in row.places}
    gap = NODE // 2 if row.layer is not None else 0
    pipes = "".join(_pipe(place, boxes[place.name], top, gap) for place in row.places)
    drawn = "".join(_part(p, boxes[p.name], p.name in picked, p.name in changed) for p in row.places)
    return _spine(row, top, last=(count - 1) * ROW) + pipes + drawn


def _box(place: Place, top: int) -> Box:
    middle, upper = top + ROW // 2, top + (ROW - BOX) // 2
    if place.kind == "full_layer":
        return Box(AXIS - NODE // 2, upper, NODE, BOX)
    if place.kind in ("layer_norm", "gate"):
        away = place.column - RESIDUAL
        x = AXIS + away * GAP + (NODE // 2 - 4 if away > 0 else 4 - NODE // 2) - MARK // 2
        return Box(x, upper + 3, MARK, BOX - 6) if away else Box(AXIS - NODE // 2, middle - MARK // 2, NODE, MARK)
    if place.column == RESIDUAL:
        return Box(AXIS - TRUNK // 2, upper, TRUNK, BOX)
    return Box(4 if place.column == ATTENTION else WIDTH - 4 - BRANCH, upper, BRANCH, BOX)


def _spine(row: Row, top: int, *, last: int) -> str:
    """The residual stream through this row, open where a box stands on it, from the input to the output."""
    filled = any(place.column == RESIDUAL and place.kind != "layer_norm" for place in row.places)
    above, below = (f"M{AXIS} {top}v{(ROW - BOX) // 2}", f"M{AXIS} {top + ROW}v-{(ROW - BOX) // 2}")
    whole = f"M{AXIS} {top}v{ROW}"
    path = f"{above if top else ''}{below if top < last else ''}" if filled else whole
    return f'<path d="{path}" stroke="currentColor" stroke-opacity=".5" stroke-width="2"/>'


def _pipe(place: Place, box: Box, top: int, gap: int) -> str:
    """From a branch to `gap` before the spine. Rotary embeddings turn queries and keys; they never touch the stream."""
    if place.column not in (ATTENTION, FFN) or place.kind == "rotary_emb":
        return ""
    start, end = (box.x + box.width, AXIS - gap) if place.column == ATTENTION else (box.x, AXIS + gap)
    return f'<path d="M{start} {top + ROW // 2}H{end}" stroke="currentColor" stroke-opacity=".35"/>'


def _part(place: Place, box: Box, picked: bool, changed: bool) -> str:
    colour = AMBER if changed else "currentColor"
    faint = 0.5 if place.kind in ("layer_norm", "gate") else 0
    fill = f'fill="{colour}" fill-opacity="{faint + 0.3 * picked}"'
    edge = f'stroke="{colour}" stroke-width="{2 if picked or changed else 1}"'
    x, y, width, height = box
    shape = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="2" {fill} {edge}/>'
    return f"<g><title>{escape(place.words)}</title>{shape}{_label(place, box)}</g>"


def _label(place: Place, box: Box) -> str:
    if place.kind in ("layer_norm", "gate"):
        return ""
    text = place.name.removeprefix("layer_") if place.kind == "full_layer" else shorten(place.name)
    return f'<text x="{box.middle}" y="{box.y + 14}" text-anchor="middle" fill="currentColor">{escape(text)}</text>'
