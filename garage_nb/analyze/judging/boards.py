"""The boards of an evaluation of three models or more: a table a measure, with models below each other and domains side
by side, as many as a line holds. What is worse stands in the very place where better would stand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ...plain import one_line
from ...view.bars import Column, Table, number
from ...view.cards import Card
from ...view.layout import GAP, Block
from ...view.shown import Picture
from ...view.terminal import LINE, fit
from .finding import MEASURES, SAME, Finding

MODELS, DOMAINS = 12, 16  # of a board; the frame holds them all
NAMES = 25  # columns of a line that are kept for the names of models
Head = tuple[str, str, str]  # what a column says, its measure and its domain
Cells = Mapping[tuple[str, str, str], Finding]  # by measure, model and domain


@dataclass(frozen=True)
class Boards:
    """What was asked as a card, and the boards below it."""

    card: Card
    tables: Sequence[Table]

    def text(self) -> str:
        """Names are cut in the middle, so that all domains of a line stay beside each other."""
        cut = [replace(one, names=[fit(one_line(name), NAMES) for name in one.names]) for one in self.tables]
        pictures: list[Picture] = [self.card, *cut]
        return "\n\n".join(one.text() for one in pictures)

    def html(self) -> str:
        pictures: list[Picture] = [self.card, *self.tables]
        return "".join(one.html() for one in pictures)


def boards(names: Sequence[str], findings: Sequence[Finding], facts: Mapping[str, str], with_bytes: bool) -> Boards:
    """The judged model is the first of the names. Nats per byte only where tokens are not the same."""
    known: Cells = {(one.measure, one.model, one.domain): one for one in findings}
    domains: dict[str, list[str]] = {}
    for one in findings:
        if one.domain not in domains.setdefault(one.measure, []):
            domains[one.measure].append(one.domain)
    whole = {measure for measure in domains if MEASURES[measure].is_whole or MEASURES[measure].is_of_pair}
    heads = {
        MEASURES[measure].said: [(domain, measure, domain) for domain in several[:DOMAINS]]
        for measure, several in domains.items()
        if measure not in whole and (measure != "surprise" or with_bytes)
    }
    heads["as a whole"] = [(MEASURES[one].said, one, several[0]) for one, several in domains.items() if one in whole]
    left = {"models": len(names) - MODELS, "domains": max(map(len, domains.values())) - DOMAINS}
    more = [f"{count:,} more {what} in .frame()" for what, count in left.items() if count > 0]
    tables = [table for title, mine in heads.items() for table in _tables(names[:MODELS], title, mine, known)]
    return Boards(Card(names[0], facts, " · ".join(["Intervals are in .frame() and .plot().", *more])), tables)


def _tables(names: Sequence[str], title: str, heads: Sequence[Head], known: Cells) -> Iterator[Table]:
    """On several tables where one would be wider than a line."""
    rows, columns = [*names, *(f"than {name}" for name in names[1:])], []
    for said, measure, domain in heads:
        values = [_value(known.get((measure, name, domain))) for name in names]
        columns.append(Column(said, values + [_said(known.get((measure, name, domain))) for name in names[1:]]))
    for place, several in enumerate(_on_lines(columns)):
        yield Table(rows, several, title=f"{title}, continued" if place else title)


def _on_lines(columns: Sequence[Column]) -> list[list[Column]]:
    found: list[list[Column]] = [[]]
    room = LINE - NAMES
    for column in columns:
        block = Block(one_line(column.head), tuple(map(str, column.values)))
        wide = len(GAP) + block.with_folded_head().width
        if found[-1] and room < wide:
            found.append([])
            room = LINE - NAMES
        found[-1].append(column)
        room -= wide
    return found


def _value(one: Finding | None) -> str:
    """Of a model by itself, or of a pair with the judged one."""
    if one is None:
        return ""
    return "n/a" if math.isnan(one.estimate.value) else number(one.estimate.value * MEASURES[one.measure].scale)


def _said(one: Finding | None) -> str:
    """How the judged model compares with another."""
    if one is None or MEASURES[one.measure].is_of_pair:
        return ""
    value = one.change.value
    if math.isnan(value) or one.verdict == SAME:
        return one.verdict or "n/a"
    said = f"× {number(value)}" if MEASURES[one.measure].is_ratio else f"{value:+.3f}"
    return f"{one.verdict} {said}".strip()
