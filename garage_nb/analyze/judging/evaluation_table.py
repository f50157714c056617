"""The table of an evaluation: models in columns, and what is worse in the very place where better would stand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ...view.bars import Column, Table, number
from .finding import BETTER, MEASURES, SAME, WORSE, Finding
from .redrawn import Estimate

SHOWN, MODELS = 48, 5  # rows and models of a table; the frame holds them all
EXACT = "accuracy by McNemar's exact test, adjusted by Holm over domains"
PROOF = f"95 % intervals in brackets; {EXACT}"
Row = tuple[str, str]  # a measure, a domain


def table(names: Sequence[str], findings: Sequence[Finding], counted: str, notes: Mapping[str, str]) -> Table:
    """The judged model is the first of the names. `notes` say why tokens are not the same."""
    cells = {(one.measure, one.domain, one.model): one for one in findings}
    rows, shown = _rows(findings, bool(notes)), names[:MODELS]
    heads = [_head(measure, domain) for measure, domain in rows[:SHOWN]]
    columns = [Column(name, [_value(cells.get((*row, name))) for row in rows[:SHOWN]]) for name in shown]
    for name in shown[1:]:
        columns.append(Column(f"against {name}", [_said(cells.get((*row, name))) for row in rows[:SHOWN]]))
    left = {"rows": len(rows) - SHOWN, "models": len(names) - MODELS}
    more = [f"{count:,} more {what} in .frame()" for what, count in left.items() if count > 0]
    told = [f"against {name}: {_tally(name, findings, bool(notes))}" for name in names[1:]]
    apart = [f"{name}: {note}" for name, note in notes.items()]
    caption = " · ".join(filter(None, [counted, *told, reach(findings), PROOF, *apart, *more]))
    return Table(heads, columns, title=names[0], caption=caption)


def _rows(findings: Sequence[Finding], with_bytes: bool) -> list[Row]:
    """Nats per byte only where tokens are not the same; of pairs, all domains together; passes where they differ."""
    told = (one for one in findings if one.measure != "passes" or _has_ensemble(findings))
    every = dict.fromkeys((one.measure, one.domain) for one in told)
    first = dict(reversed(every))
    return [
        (measure, domain)
        for measure, domain in every
        if (not MEASURES[measure].is_of_pair or domain == first[measure]) and (measure != "surprise" or with_bytes)
    ]


def _has_ensemble(findings: Sequence[Finding]) -> bool:
    return any(one.measure == "passes" and one.estimate.value > 1 for one in findings)


def _head(measure: str, domain: str) -> str:
    kind = MEASURES[measure]
    return kind.said if kind.is_whole else f"{kind.said}, {domain}"


def _value(one: Finding | None) -> float:
    """Of a model by itself."""
    kind = None if one is None else MEASURES[one.measure]
    return math.nan if one is None or kind is None or kind.is_of_pair else one.estimate.value * kind.scale


def _said(one: Finding | None) -> str:
    """How the judged model compares with another."""
    if one is None:
        return ""
    kind = MEASURES[one.measure]
    there = one.estimate if kind.is_of_pair else one.change
    if math.isnan(there.value):
        return "n/a"
    told = _ranged(there, kind.compared)
    if one.measure == "memory" and one.note:
        return f"{told}, {one.note}"
    return f"{one.verdict}: {told}" if one.verdict else told


def _ranged(estimate: Estimate, compared: str) -> str:
    """`× 1.13 (1.10 to 1.16)`, `-0.050 (-0.083 to -0.017)`, `0.31 (0.28 to 0.35)`."""
    signed = compared == "difference"
    value, low, high = (f"{end:+.3f}" if signed else number(end) for end in vars(estimate).values())
    said = f"× {value}" if compared == "ratio" else value
    return said if math.isnan(estimate.low) else f"{said} ({low} to {high})"


def _tally(name: str, findings: Sequence[Finding], with_bytes: bool) -> str:
    """`accuracy better in 1, worse in 2, undecided in 5`, domains."""
    told = []
    for measure, kind in MEASURES.items():
        found = [one.verdict for one in findings if (one.measure, one.model) == (measure, name) and one.verdict]
        verdicts = found[1:] if len(found) > 1 else found  # all together is no domain
        if verdicts and not kind.is_whole and (measure != "surprise" or with_bytes):
            counts = [(verdict, verdicts.count(verdict)) for verdict in (BETTER, WORSE, SAME)]
            told.append(f"{kind.said} {', '.join(f'{verdict} in {count}' for verdict, count in counts if count)}")
    return "; ".join(told) or "not compared"


def reach(findings: Sequence[Finding]) -> str:
    """What so many items could show."""
    found = [one.smallest for one in findings if not math.isnan(one.smallest)]
    if not found:
        return ""
    low, high = (f"{end:.2f}" if math.isfinite(end) else "none" for end in (min(found), max(found)))
    ends = low if low == high else f"{low} to {high}, by domain"
    return f"smallest difference in accuracy that so many items would show 4 times in 5: {ends}"
