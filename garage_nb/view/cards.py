"""Card: a few labelled facts, as text and as self-contained html."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from .palette import AMBER, CSS_INK, CSS_MUTED


@dataclass(frozen=True)
class Card:
    """A title, facts by label, and a line of advice. Labels in `changed` are drawn amber."""

    title: str
    facts: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    changed: frozenset[str] = frozenset()

    def text(self) -> str:
        width = max(map(len, self.facts), default=0)
        under = "\n" + " " * (width + 4)
        lines = [f"  {label:<{width}}  {fact.replace(chr(10), under)}" for label, fact in self.facts.items()]
        return "\n".join([self.title, *lines, *([self.note] if self.note else [])])

    def html(self) -> str:
        facts = "".join(self._html_fact(label, fact) for label, fact in self.facts.items())
        note = f'<div class="gnb-note">{escape(self.note)}</div>' if self.note else ""
        listed = f"<dl>{facts}</dl>" if facts else ""
        return f'{STYLE}<div class="gnb-card"><div class="gnb-title">{escape(self.title)}</div>{listed}{note}</div>'

    def _html_fact(self, label: str, fact: str) -> str:
        mark = ' class="gnb-amber"' if label in self.changed else ""
        return f"<dt>{escape(label)}</dt><dd{mark}>{escape(fact)}</dd>"


# The class is doubled to outrank what notebooks and nbconvert say of every list.
STYLE = f"""<style>
.gnb-card {{ color: {CSS_INK}; font-size: 13px; line-height: 1.5; margin: 4px 0; font-variant-numeric: tabular-nums; }}
.gnb-card .gnb-title {{ font-weight: 600; }}
.gnb-card.gnb-card dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 1px 16px; margin: 4px 0; }}
.gnb-card.gnb-card dt {{ color: {CSS_MUTED}; font-weight: normal; float: none; width: auto; margin: 0; padding: 0; }}
.gnb-card.gnb-card dd {{ margin: 0; padding: 0; white-space: pre-wrap; overflow-wrap: anywhere; }}
.gnb-card.gnb-card dd.gnb-amber {{ color: {AMBER}; }}
.gnb-card .gnb-note {{ color: {CSS_MUTED}; }}
</style>"""
