"""Heatmap: a trace as one self-contained svg, parts from bottom (input) to top (output) by tokens from left to right.

It takes the colour of its text from the page around it, so it fits light and dark pages alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..plain import one_line, shorten
from ..snapshot.trace import Trace
from ..view.bars import number
from ..view.markup import line
from ..view.palette import AMBER
from ..view.png import data_uri
from ..view.scale import Scale, scale_of

CELLS = 2000  # drawn one by one; more of them are one picture
LARGEST, WIDE, HIGH = 26, 560, 420  # px: of a cell, and of all of them
NAMES, ROW, GLYPH = 176, 13, 6.6  # px of names at the left, of a line of text, of a letter
LONGEST, LETTERS = 25, 14  # letters of a name, of a token
RAMP = 120


def scale_for(values: np.ndarray) -> Scale:
    """From the least to the largest that there is; around 0 where some are below it."""
    finite = values[np.isfinite(values)]
    return scale_of([float(finite.min()), float(finite.max())] if finite.size else [])


@dataclass(frozen=True)
class Heatmap:
    """What a trace shows."""

    trace: Trace

    def text(self) -> str:
        return self.trace.picture().text()

    def html(self) -> str:
        return f'<div style="overflow:auto">{self.svg()}</div>{self.trace.picture().html()}'

    def svg(self) -> str:
        values = self.trace.values()
        scale, (rows, columns) = scale_for(values), values.shape
        size = (min(LARGEST, max(1.0, WIDE / columns)), min(LARGEST, max(3.0, HIGH / rows)))
        longest = max((min(len(one_line(token)), LETTERS) for token in self.trace.tokens), default=0)
        below = int(longest * GLYPH) + 12
        width, high = NAMES + max(columns * size[0], 2.5 * RAMP) + 8, rows * size[1]
        told = line(f"{self.trace.defined()}, {rows} parts by {columns} tokens")
        inside = "".join([*self._cells(values, scale, size), *self._names(size), *self._tokens(size, high)])
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{told}" fill="currentColor"'
            f' width="{width:.0f}" height="{high + below + 40:.0f}" style="font:11px system-ui,sans-serif">'
            f'<g transform="translate(0 4)">{inside}{self._legend(scale, high + below)}</g></svg>'
        )

    def _cells(self, values: np.ndarray, scale: Scale, size: tuple[float, float]) -> Iterator[str]:
        rows, columns = values.shape
        wide, high = size
        if values.size > CELLS:
            yield (
                f'<image x="{NAMES}" y="0" width="{columns * wide:.2f}" height="{rows * high:.2f}"'
                ' preserveAspectRatio="none" style="image-rendering:pixelated"'
                f' href="{data_uri(_pixels(values, scale))}"/>'
            )
            return
        for row, place in zip(*np.nonzero(np.isfinite(values)), strict=True):
            yield (
                f'<rect x="{NAMES + place * wide:.2f}" y="{(rows - 1 - row) * high:.2f}" width="{wide:.2f}"'
                f' height="{high:.2f}" fill="{scale.colour(float(values[row, place]))}" shape-rendering="crispEdges"/>'
            )

    def _names(self, size: tuple[float, float]) -> Iterator[str]:
        parts = self.trace.parts
        for row in range(0, len(parts), _every(ROW, size[1])):
            middle = (len(parts) - row - 0.5) * size[1] + 4
            ink = f' fill="{AMBER}"' if parts[row] in self.trace.changed else ""
            name = line(shorten(parts[row], LONGEST))
            yield f'<text x="{NAMES - 6}" y="{middle:.1f}" text-anchor="end"{ink}>{name}</text>'

    def _tokens(self, size: tuple[float, float], top: float) -> Iterator[str]:
        """Upright, every so many that none touches the next; those that were written stand out."""
        for place in range(0, len(self.trace.tokens), _every(ROW, size[0])):
            at = f"{NAMES + (place + 0.5) * size[0] + 4:.1f} {top + 6:.1f}"
            faint = "" if place >= self.trace.prompted else ' fill-opacity=".6"'
            token = line(shorten(self.trace.tokens[place].replace(" ", "·"), LETTERS))
            yield f'<text transform="translate({at}) rotate(-90)" text-anchor="end"{faint}>{token}</text>'

    def _legend(self, scale: Scale, top: float) -> str:
        step = RAMP / len(scale.stops)
        ramp = "".join(
            f'<rect x="{NAMES + i * step:.2f}" y="{top + 20}" width="{step + 0.1:.2f}" height="8" fill="{stop}"/>'
            for i, stop in enumerate(scale.stops)
        )
        words = line(self.trace.defined())
        low, high = number(scale.low), number(scale.high)
        ends = f'<text x="{NAMES - 6}" y="{top + 28}" text-anchor="end">{low}</text>'
        ends += f'<text x="{NAMES + RAMP + 6}" y="{top + 28}">{high}</text>'
        return f'<text x="{NAMES}" y="{top + 12}">{words}</text>{ramp}{ends}'


def _pixels(values: np.ndarray, scale: Scale) -> np.ndarray:
    """(rows, columns, 4) bytes, the last part on top; what is NaN is clear."""
    colours = np.array([list(bytes.fromhex(stop[1:])) for stop in scale.stops], float)
    span = scale.high - scale.low
    share = (values[::-1] - scale.low) / span if span > 0 else np.full_like(values, 0.5)
    seen, place = np.isfinite(values[::-1]), np.nan_to_num(share).clip(0, 1) * (len(colours) - 1)
    pixels = np.zeros((*values.shape, 4), np.uint8)
    for channel in range(3):
        pixels[..., channel] = np.interp(place, np.arange(len(colours)), colours[:, channel]).round()
    pixels[..., 3] = 255
    pixels[~seen] = 0
    return pixels


def _every(room: float, size: float) -> int:
    return max(1, int(-(-room // size)))
