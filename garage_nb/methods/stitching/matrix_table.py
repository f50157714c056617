"""The tables of a stitching matrix: one for losses, one for accuracy, what was asked above the first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...view.bars import Column, Table, number
from ...view.cards import Card
from ...view.shown import Picture
from .cells import CONTROLS, OWN
from .matrix import AS_IS, MEASURES, is_better

if TYPE_CHECKING:
    from .matrix import StitchingMatrix

ROWS, COLUMNS, REASONS = 24, 12, 3  # shown; the frame holds them all


def tables(matrix: StitchingMatrix) -> list[Picture]:
    return [_card(matrix), *_measured(matrix)]


def _card(matrix: StitchingMatrix) -> Card:
    facts = {
        "as it is": ", ".join(_as_it_is(matrix)),
        "scored on": matrix.paper.counted,
        "adapter": "fitted by least squares" if matrix.adapter == "fit" else matrix.adapter,
        "own part": "the model bit for bit, at every place" if matrix.own_is_equal else _unequal(matrix),
        "better than as it is": ", ".join(_better(matrix)),
        **({"edits in force": str(matrix.edits)} if matrix.edits else {}),
        **({"n/a": "\n".join(_reasons(matrix))} if matrix.reasons else {}),
    }
    said = "itself" if matrix.guest_id == matrix.model_id else matrix.guest_id
    return Card(f"{matrix.model_id} with parts of {said}", facts)


def _as_it_is(matrix: StitchingMatrix) -> Iterator[str]:
    for measure in matrix.measures:
        if "change" not in measure:
            one = matrix.of(measure, *AS_IS)
            ends = "" if math.isnan(one.low) else f" ({number(one.low)} to {number(one.high)})"
            yield f"{number(one.value)}{ends} {MEASURES[measure].partition(', ')[2]}"


def _unequal(matrix: StitchingMatrix) -> str:
    """A model that was cast as a whole also had cast what its class computes by itself, such as angles."""
    usual = [measure for measure in matrix.measures if "change" in measure]
    most = [max(abs(matrix.of(measure, OWN, place).value) for place in matrix.places) for measure in usual]
    said = ", ".join(f"{number(off)} {MEASURES[measure]}" for measure, off in zip(usual, most, strict=True))
    return f"not the model bit for bit, at most {said}"


def _better(matrix: StitchingMatrix) -> Iterator[str]:
    """Chance alone makes one cell in 40 look so."""
    cells = [pair for pair in matrix.marks if pair[0] in matrix.names]
    for measure in matrix.measures:
        if "change" in measure:
            count = sum(is_better(measure, matrix.of(measure, *pair)) for pair in cells)
            what = measure.partition(" ")[0]
            yield f"{count} of {len(cells)} cells by {what}, each by its own 95 % interval"


def _reasons(matrix: StitchingMatrix) -> Iterator[str]:
    cells: dict[str, list[str]] = {}
    for (name, place), reason in matrix.reasons.items():
        cells.setdefault(reason.partition(": ")[2] or reason, []).append(f"{name} at {place}")  # without its names
    for reason, several in list(cells.items())[:REASONS]:
        more = f" and {len(several) - 1} more" if len(several) > 1 else ""
        yield f"{several[0]}{more}: {reason}"
    if len(cells) > REASONS:
        yield f"{len(cells) - REASONS} more reasons in .frame()"


def _measured(matrix: StitchingMatrix) -> Iterator[Table]:
    """Rows as in the picture, the guest's parts before the controls."""
    names, places = matrix.names[:ROWS], matrix.places[:COLUMNS]
    rows = [*names, *reversed(CONTROLS)]
    left = {"parts": len(matrix.names) - len(names), "places": len(matrix.places) - len(places)}
    more = [f"{count:,} more {what} in .frame()" for what, count in left.items() if count > 0]
    for measure in matrix.measures:
        if "change" in measure:
            columns = [Column(place, [_cell(matrix, measure, name, place) for name in rows]) for place in places]
            caption = " · ".join(["part in row at place in column; intervals in .frame()", *more])
            yield Table(rows, columns, title=MEASURES[measure], caption=caption)


def _cell(matrix: StitchingMatrix, measure: str, name: str, place: str) -> str:
    value = matrix.of(measure, name, place).value
    return "n/a" if math.isnan(value) else "0" if value == 0 else f"{value:+.3f}"
