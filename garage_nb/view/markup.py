"""Html that shows text as text: escaped, with what cannot be seen made visible, and never set as mathematics."""

from __future__ import annotations

from html import escape

from ..plain import one_line, shorten, visible

LONG = 40  # characters from which a text may break anywhere
SUBJECT = 160  # of a prompt that stands above a table


def text(value: str) -> str:
    """Between tags, on as many lines as it has where the style says `pre-wrap`."""
    return escape(visible(value))


def line(value: str) -> str:
    """On one line: of a cell, or in an attribute."""
    return escape(one_line(value))


def short(value: str, most: int = SUBJECT) -> str:
    """On one line, cut in the middle; whole on hover."""
    cut = shorten(value, most)
    return line(value) if cut == value else f'<span title="{line(value)}">{line(cut)}</span>'


def page(inside: str) -> str:
    """What an answer is shown as. Notebooks set `$x$` as mathematics, but not under these classes: MathJax 3 has the
    one, MathJax 2 the other.
    """
    return f'<div class="mathjax_ignore tex2jax_ignore">{inside}</div>'


def document(title: str, inside: str) -> str:
    """A page of its own, light or dark as whoever opens it likes it."""
    sized = '<meta name="viewport" content="width=device-width">'
    head = f'<meta charset="utf-8">{sized}<meta name="color-scheme" content="light dark"><title>{line(title)}</title>'
    style = "<style>body { margin: 24px; font: 14px/1.4 system-ui, sans-serif; }</style>"
    return f'<!doctype html>\n<html lang="en"><head>{head}{style}</head><body>{page(inside)}</body></html>\n'
