"""Layout: columns of text side by side on lines of a terminal's width.

What is too wide gives way in this order: heads go on several lines, texts are cut in the middle, and columns that find
no room go below, beside the names again. Numbers are never cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .terminal import LINE, fit, pad, width, wrapped

GAP = "  "
LEAST = 12  # columns that a cut text keeps
HEAD = 24  # columns that a word of a head may take beyond its cells


@dataclass(frozen=True)
class Block:
    """One column: the lines of its head and its cells. `right` ones are numbers."""

    head: tuple[str, ...]
    cells: tuple[str, ...]
    right: bool = False

    @property
    def width(self) -> int:
        return max(map(width, (*self.head, *self.cells)), default=0)

    def with_wrapped_head(self) -> Block:
        inside = max(map(width, self.cells), default=0)
        lines = wrapped(" ".join(self.head), max(inside, LEAST)) if self.head != ("",) else [""]
        return replace(self, head=tuple(fit(line, max(inside, HEAD)) for line in lines))

    def cut(self, most: int) -> Block:
        return replace(
            self, head=tuple(fit(line, most) for line in self.head), cells=tuple(fit(cell, most) for cell in self.cells)
        )

    def lines(self, heads: int) -> list[str]:
        """All of one width; the head stands at the bottom of so many lines."""
        cells = [*[""] * (heads - len(self.head)), *self.head, *self.cells]
        return [pad(cell, self.width, right=self.right) for cell in cells]


def side_by_side(blocks: Sequence[Block], most: int = LINE) -> list[str]:
    """The first block holds the names; it stands on the left of every panel."""
    if _total(blocks) > most:
        blocks = _narrowed([block.with_wrapped_head() for block in blocks], most)
    panels = [_lines(panel) for panel in _panels(blocks, most)]
    return [line for number, panel in enumerate(panels) for line in ([""] if number else []) + panel]


def _total(blocks: Sequence[Block]) -> int:
    return sum(block.width for block in blocks) + len(GAP) * (len(blocks) - 1)


def _narrowed(blocks: Sequence[Block], most: int) -> list[Block]:
    """The widest texts first, until all fit or each has only LEAST."""
    widths = [block.width if block.right else min(block.width, most) for block in blocks]
    texts = [place for place, block in enumerate(blocks) if not block.right]
    while sum(widths) + len(GAP) * (len(blocks) - 1) > most:
        widest = max(texts, key=lambda place: widths[place])
        if widths[widest] <= LEAST:
            break
        widths[widest] -= 1
    return [block if block.right else block.cut(room) for block, room in zip(blocks, widths, strict=True)]


def _panels(blocks: Sequence[Block], most: int) -> list[list[Block]]:
    names, *others = blocks
    panels = [[names]]
    for block in others:
        if len(panels[-1]) > 1 and _total([*panels[-1], block]) > most:
            panels.append([names])
        panels[-1].append(block)
    return panels


def _lines(panel: Sequence[Block]) -> list[str]:
    heads = max(len(block.head) for block in panel)
    columns = [block.lines(heads) for block in panel]
    return [GAP.join(cells).rstrip() for cells in zip(*columns, strict=True)]
