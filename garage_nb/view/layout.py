"""Layout: columns of text side by side on lines of a terminal's width.

What is too wide gives way in this order: heads go on several lines, prose too, names are cut in the middle, and columns
that find no room go below, beside the names again. Numbers are never cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from .terminal import LINE, fit, pad, width, wrapped

GAP = "  "
LEAST = 12  # columns that a cut text keeps
HEAD = 24  # columns that a word of a head may take beyond its cells


@dataclass(frozen=True)
class Block:
    """One column: its head and its cells, each on one line or, where it was folded, on several."""

    head: str
    cells: tuple[str, ...]
    right: bool = False

    @property
    def width(self) -> int:
        return max(width(line) for cell in (self.head, *self.cells) for line in cell.split("\n"))

    def with_folded_head(self) -> Block:
        inside = max(map(width, self.cells), default=0)
        lines = (fit(line, max(inside, HEAD)) for line in wrapped(self.head, max(inside, LEAST)))
        return replace(self, head="\n".join(lines))

    def cut(self, most: int) -> Block:
        return replace(self, head=_folded(self.head, most), cells=tuple(_folded(cell, most) for cell in self.cells))

    def padded(self, line: str) -> str:
        return pad(line, self.width, right=self.right)


def side_by_side(blocks: Sequence[Block], most: int = LINE) -> list[str]:
    """The first block holds the names; it stands on the left of every panel."""
    if _total(blocks) > most:
        blocks = _narrowed([block.with_folded_head() for block in blocks], most)
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
    heads = [block.head.split("\n") for block in panel]
    most = max(map(len, heads))
    rows = [[[*[""] * (most - len(head)), *head] for head in heads]]
    rows += [[cell.split("\n") for cell in cells] for cells in zip(*(block.cells for block in panel), strict=True)]
    return [line for row in rows for line in _joined(panel, row)]


def _joined(panel: Sequence[Block], row: Sequence[Sequence[str]]) -> Iterator[str]:
    for line in zip_longest(*row, fillvalue=""):
        yield GAP.join(block.padded(piece) for block, piece in zip(panel, line, strict=True)).rstrip()


def _folded(text: str, most: int) -> str:
    """Prose goes on below; a name is cut."""
    lines = wrapped(text, most) if " " in text else text.split("\n")  # of a head that was folded before
    return "\n".join(fit(line, most) for line in lines)
