"""Table: named rows of numbers as text for a terminal and as html for a notebook, with bars where asked.

The html is self-contained, escapes every text and needs no kernel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..plain import one_line, shorten
from . import markup
from .layout import Block, side_by_side
from .palette import AMBER, CSS_BAR, CSS_INK, CSS_MUTED, CSS_RULE
from .terminal import LINE, fit, width, wrapped

BLOCKS = " ▏▎▍▌▋▊▉█"
BAR_CELLS = 8
SEPARATOR = " · "


@dataclass(frozen=True)
class Column:
    """A head and one value a row: numbers right-aligned, texts left. `bar` draws each number's share of `top`.

    `top` is the largest of them unless given. A `changed` column is amber: it is the user's doing.
    """

    head: str
    values: Sequence[float | str]
    bar: bool = False
    top: float | None = None
    changed: bool = False

    @property
    def numeric(self) -> bool:
        return not any(isinstance(value, str) for value in self.values)

    def shares(self) -> list[float]:
        """0 to 1, of the top."""
        numbers = [float(value) for value in self.values if not isinstance(value, str)]
        top = self.top or max((abs(number) for number in numbers if math.isfinite(number)), default=0.0)
        return [abs(number) / top if top and math.isfinite(number) else 0.0 for number in numbers]


@dataclass(frozen=True)
class Table:
    """Rows by name. `changed` rows are marked amber: they are what the user has edited.

    `title` is what the table is of, a prompt or a model, and is cut where it is long; `caption` stands behind it.
    """

    names: Sequence[str]
    columns: Sequence[Column]
    caption: str = ""
    changed: frozenset[str] = frozenset()
    title: str = ""

    def text(self) -> str:
        names = Block("", tuple(map(one_line, self.names)))
        above = self._above()
        lines = side_by_side([names, *map(_text_block, self.columns)])
        return "\n".join([*above, *lines])

    def html(self) -> str:
        heads = "".join(f'<th scope="col" class="{_align(c)}">{markup.short(c.head)}</th>' for c in self.columns)
        cells = [_html_cells(column) for column in self.columns]
        rows = "".join(self._html_row(name, [cell[i] for cell in cells]) for i, name in enumerate(self.names))
        inside = f"<thead><tr><th></th>{heads}</tr></thead><tbody>{rows}</tbody>"
        about = markup.line(" · ".join(filter(None, (shorten(self.title, markup.SUBJECT), self.caption))))
        table = f'<table class="gnb-table" aria-label="{about}">{inside}</table>'
        return f'{STYLE}<div class="gnb-scroll">{self._html_above()}{table}</div>'

    def _html_above(self) -> str:
        """Not a caption, which would be as narrow as the table."""
        title = f'<span class="gnb-title">{markup.short(self.title)}</span>' if self.title else ""
        caption = f"<span>{markup.line(self.caption)}</span>" if self.caption else ""
        return f'<div class="gnb-above">{title} {caption}</div>' if title or caption else ""

    def _above(self) -> list[str]:
        """Title and caption on one line, where the title can be cut to that."""
        title, caption = one_line(self.title), one_line(self.caption)
        beside = LINE - width(caption) - len(SEPARATOR)
        if title and caption and beside > LINE // 3:
            return [f"{fit(title, beside)}{SEPARATOR}{caption}"]
        return [line for text in (fit(title, LINE), caption) if text for line in wrapped(text, LINE)]

    def _html_row(self, name: str, cells: list[str]) -> str:
        mark = ' class="gnb-changed"' if name in self.changed else ""
        return f'<tr{mark}><th scope="row"{_long(name)}>{markup.line(name)}</th>{"".join(cells)}</tr>'


def number(value: float | str) -> str:
    """Four significant figures; a dash for what is not defined."""
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        return "–" if math.isnan(value) else f"{value:+}"
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:.3f}" if 0.01 <= abs(value) < 1000 else f"{value:.3g}"


def _text_block(column: Column) -> Block:
    cells = [one_line(number(value)) for value in column.values]
    if column.bar:
        widest = max(map(len, cells), default=0)
        cells = [f"{cell:>{widest}} {_bar(share)}" for cell, share in zip(cells, column.shares(), strict=True)]
    return Block(one_line(column.head), tuple(cells), right=column.numeric)


def _bar(share: float) -> str:
    eighths = round(share * BAR_CELLS * 8)
    full, rest = divmod(eighths, 8)
    return (BLOCKS[8] * full + (BLOCKS[rest] if rest else "")).ljust(BAR_CELLS)


def _html_cells(column: Column) -> list[str]:
    if not column.bar:
        return [_html_cell(column, number(value)) for value in column.values]
    pairs = zip(column.values, column.shares(), strict=True)
    kind = "gnb-bar gnb-amber" if column.changed else "gnb-bar"
    return [f'<td class="gnb-n">{markup.line(number(value))}{_html_bar(share, kind)}</td>' for value, share in pairs]


def _html_cell(column: Column, text: str) -> str:
    kind = "gnb-n" if column.numeric else "gnb-t gnb-long" if len(text) > markup.LONG else "gnb-t"
    return f'<td class="{kind}">{markup.line(text)}</td>'


def _long(name: str) -> str:
    return ' class="gnb-long"' if len(name) > markup.LONG else ""


def _html_bar(share: float, kind: str) -> str:
    return f'<span class="{kind}" aria-hidden="true"><span style="width:{share:.1%}"></span></span>'


def _align(column: Column) -> str:
    return "gnb-n" if column.numeric else "gnb-t"


# The class is doubled to outrank what notebooks and nbconvert say of every table.
STYLE = f"""<style>
.gnb-scroll {{ overflow-x: auto; }}
.gnb-table.gnb-table {{ border-collapse: collapse; color: {CSS_INK}; font-size: 13px; margin: 4px 0;
  font-variant-numeric: tabular-nums; }}
.gnb-above {{ color: {CSS_MUTED}; font-size: 13px; line-height: 1.5; margin: 4px 0; overflow-wrap: anywhere; }}
.gnb-above .gnb-title {{ color: {CSS_INK}; font-weight: 600; margin-right: 12px; }}
.gnb-table.gnb-table tbody tr:nth-child(n) {{ background: none; }}
.gnb-table.gnb-table :is(th, td) {{ padding: 3px 12px 3px 0; border: 0; background: none; font-weight: normal;
  white-space: nowrap; text-align: left; max-width: none; }}
.gnb-table.gnb-table thead th {{ color: {CSS_MUTED}; border-bottom: 1px solid {CSS_RULE}; vertical-align: bottom;
  white-space: normal; }}
.gnb-table.gnb-table :is(th, td).gnb-n {{ text-align: right; }}
.gnb-table.gnb-table :is(th, td).gnb-long {{ white-space: normal; overflow-wrap: anywhere; min-width: 24ch; }}
.gnb-table.gnb-table .gnb-changed th {{ color: {AMBER}; }}
.gnb-table .gnb-bar {{ display: inline-block; width: 44px; height: 8px; margin-left: 8px; }}
.gnb-table .gnb-bar span {{ display: block; height: 100%; background: {CSS_BAR}; }}
.gnb-table .gnb-bar.gnb-amber span {{ background: {AMBER}; }}
</style>"""
