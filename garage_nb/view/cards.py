"""Card: a few labelled facts, as text and as self-contained html."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..plain import one_line, visible
from . import markup
from .palette import AMBER, CSS_INK, CSS_MUTED
from .terminal import LINE, fit, pad, width, wrapped

LABEL = 28  # columns that a label may take


@dataclass(frozen=True)
class Card:
    """A title, facts by label, and a line of advice. Labels in `changed` are drawn amber."""

    title: str
    facts: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    changed: frozenset[str] = frozenset()

    def text(self) -> str:
        labels = [fit(one_line(label), LABEL) for label in self.facts]
        room = max(map(width, labels), default=0)
        lines = [fit(one_line(self.title), LINE)]
        for label, fact in zip(labels, self.facts.values(), strict=True):
            lines += _beside(pad(label, room), fact)
        return "\n".join([*lines, *_lines(self.note, LINE)] if self.note else lines)

    def html(self) -> str:
        facts = "".join(self._html_fact(label, fact) for label, fact in self.facts.items())
        note = f'<div class="gnb-note">{markup.text(self.note)}</div>' if self.note else ""
        listed = f"<dl>{facts}</dl>" if facts else ""
        return (
            f'{STYLE}<div class="gnb-card"><div class="gnb-title">{markup.short(self.title)}</div>{listed}{note}</div>'
        )

    def _html_fact(self, label: str, fact: str) -> str:
        mark = ' class="gnb-amber"' if label in self.changed else ""
        return f"<dt>{markup.line(label)}</dt><dd{mark}>{markup.text(fact)}</dd>"


def _beside(label: str, fact: str) -> list[str]:
    """Further lines stand under the first."""
    first, *rest = _lines(fact, LINE - width(label) - 4)
    return [f"  {label}  {first}".rstrip(), *[f"{' ' * (width(label) + 4)}{line}".rstrip() for line in rest]]


def _lines(text: str, most: int) -> list[str]:
    return wrapped(visible(text).expandtabs(4), most)


# The class is doubled to outrank what notebooks and nbconvert say of every list.
STYLE = f"""<style>
.gnb-card {{ color: {CSS_INK}; font-size: 13px; line-height: 1.5; margin: 4px 0; font-variant-numeric: tabular-nums; }}
.gnb-card .gnb-title {{ font-weight: 600; overflow-wrap: anywhere; }}
.gnb-card.gnb-card dl {{ display: grid; grid-template-columns: fit-content(40%) 1fr; gap: 1px 16px; margin: 4px 0; }}
.gnb-card.gnb-card dt {{ color: {CSS_MUTED}; font-weight: normal; float: none; width: auto; margin: 0; padding: 0;
  overflow-wrap: anywhere; }}
.gnb-card.gnb-card dd {{ margin: 0; padding: 0; white-space: pre-wrap; overflow-wrap: anywhere; }}
.gnb-card.gnb-card dd.gnb-amber {{ color: {AMBER}; }}
.gnb-card .gnb-note {{ color: {CSS_MUTED}; white-space: pre-wrap; }}
</style>"""
