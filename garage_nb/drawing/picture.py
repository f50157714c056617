"""The machine as one self-contained svg: what stands in where no kernel and no script runs.

It takes its colour from the text around it (`currentColor`), so it fits light and dark pages alike.
"""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from ..plain import shorten
from ..registry.specs import ModelSpec
from ..view.markup import line, page
from ..view.palette import AMBER
from .legend import legend
from .machine import ATTENTION, FFN, RESIDUAL, Place, Row, rows
from .marks import Marks
from .words import about

WIDTH, ROW, BOX, CAPTION = 480, 26, 20, 24
AXIS = WIDTH // 2
NODE, BRANCH, TRUNK, MARK, GAP = 34, 170, 130, 4, 12
STRIP = 3  # height of the colours of what is inside a part
GLYPH, PADDING = 7, 8  # a character at 11 px in the widest of the common fonts; what a box keeps free of text
FAINT = ".6"  # of text that stands back


class Box(NamedTuple):
    x: int
    y: int
    width: int
    height: int

    @property
    def middle(self) -> int:
        return self.x + self.width // 2

    @property
    def longest(self) -> int:
        """How many characters it holds."""
        return (self.width - PADDING) // GLYPH


def picture(spec: ModelSpec, marks: Marks) -> str:
    """Output on top. Picked parts are filled, changed ones amber, n/a ones dashed; words show on hover."""
    return page(drawn(spec, marks, marks.told()))


def drawn(spec: ModelSpec, marks: Marks, told: str) -> str:
    """The same under words of one's own."""
    heading = line(f"{spec.model_id}: {about(spec)}")
    body, height = _body(rows(spec), marks)
    caption = f"{heading}. {line(told)}"
    return (
        '<figure style="margin:0;max-height:520px;overflow:auto">'
        f'<figcaption style="font:12px system-ui,sans-serif;padding:4px 0">{caption}{legend(marks.shade)}</figcaption>'
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{heading}" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" style="max-width:100%;height:auto;font:11px system-ui,sans-serif" fill="none">'
        f"{body}</svg></figure>"
    )


def _body(drawn: list[Row], marks: Marks) -> tuple[str, int]:
    """The stacks from the output down, and how high they stand."""
    body, bottom = "", 0
    for stack, group in groupby(reversed(drawn), key=lambda row: row.stack):
        top = bottom + (CAPTION if stack else 0)
        tops = [(top + i * ROW, row) for i, row in enumerate(group)]
        bottom = tops[-1][0] + ROW
        body += _caption(stack, top)
        for at, row in tops:
            body += _spine(row, at, over=at > top, under=at + ROW < bottom) + _row(row, at, marks)
    return body, bottom


def _caption(stack: str, top: int) -> str:
    """Which of two stacks begins at `top`."""
    if not stack:
        return ""
    return f'<text x="4" y="{top - 6}" fill="currentColor" fill-opacity="{FAINT}">{stack}</text>'


def _row(row: Row, top: int, marks: Marks) -> str:
    boxes = {place.name: _box(place, top) for place in row.places}
    gap = NODE // 2 if row.layer is not None else 0
    pipes = "".join(_pipe(place, boxes[place.name], top, gap) for place in row.places)
    return pipes + "".join(_part(place, boxes[place.name], marks) for place in row.places)


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


def _spine(row: Row, top: int, *, over: bool, under: bool) -> str:
    """The residual stream through this row, open where a box stands on it; whether it goes on `over` and `under` it."""
    filled = any(place.column == RESIDUAL and place.kind != "layer_norm" for place in row.places)
    reach = (ROW - BOX) // 2 if filled else ROW // 2
    path = (f"M{AXIS} {top}v{reach}" if over else "") + (f"M{AXIS} {top + ROW}v-{reach}" if under else "")
    return f'<path d="{path}" stroke="currentColor" stroke-opacity=".5" stroke-width="2"/>'


def _pipe(place: Place, box: Box, top: int, gap: int) -> str:
    """From a branch to `gap` before the spine. Rotary embeddings turn queries and keys; they never touch the stream."""
    if place.column not in (ATTENTION, FFN) or place.kind == "rotary_emb":
        return ""
    start, end = (box.x + box.width, AXIS - gap) if place.column == ATTENTION else (box.x, AXIS + gap)
    return f'<path d="M{start} {top + ROW // 2}H{end}" stroke="currentColor" stroke-opacity=".35"/>'


def _part(place: Place, box: Box, marks: Marks) -> str:
    changed, picked = marks.is_changed(place), marks.is_picked(place)
    edge = f'stroke="{AMBER if changed else "currentColor"}" stroke-width="{2 if picked or changed else 1}"'
    dashes = f' stroke-dasharray="3 3" stroke-opacity="{FAINT}"' if place.unavailable else ""
    x, y, width, height = box
    shape = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="2" {_fill(place, marks)} {edge}{dashes}/>'
    title = f"<title>{line(marks.words(place))}</title>"
    return f"<g>{title}{shape}{_label(place, box, marks)}{_strip(place, box, marks)}</g>"


def _fill(place: Place, marks: Marks) -> str:
    colour = marks.shade.tints[place.name].colour if place.name in marks.shade.tints else ""
    if colour:
        return f'fill="{colour}"'
    faint = 0.5 if place.kind in ("layer_norm", "gate") else 0
    opacity = faint + 0.3 * marks.is_picked(place)
    return f'fill="{AMBER if marks.is_changed(place) else "currentColor"}" fill-opacity="{opacity}"'


def _label(place: Place, box: Box, marks: Marks) -> str:
    if not place.label:
        return ""
    beside = "" if place.kind == "full_layer" else marks.beside(place)
    text = line(shorten(f"{place.label} · {beside}" if beside else place.label, box.longest))
    ink = marks.shade.tints[place.name].ink if place.name in marks.shade.tints else ""
    muted = f' fill-opacity="{FAINT}"' if place.unavailable else ""
    fill = f'fill="{ink or "currentColor"}"{muted}'
    foot = STRIP - 1 if marks.strip(place) else 0
    return f'<text x="{box.middle}" y="{box.y + 14 - foot}" text-anchor="middle" {fill}>{text}</text>'


def _strip(place: Place, box: Box, marks: Marks) -> str:
    """The colours of heads or experts, one beside the other along the foot of their part."""
    tints = marks.strip(place)
    width, foot = box.width / max(len(tints), 1), box.y + box.height - STRIP
    return "".join(
        f'<rect x="{box.x + i * width:.2f}" y="{foot}" width="{width:.2f}" height="{STRIP}" fill="{tint.colour}">'
        f"<title>{line(f'{name}: {marks.shade.words(name)}')}</title></rect>"
        for i, (name, tint) in enumerate(tints)
        if tint is not None and tint.colour
    )
