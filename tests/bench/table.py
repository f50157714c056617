"""The table on the console: a line a row, a column a player, and in words what the numbers do not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .peers import Cell, Dash, Line
from .rows import Row

WIDE, COLUMN = 41, 17
APART = 1e-2  # an answer further from the reference than this share is said
SHOWN = 2  # digits; what they do not show is noise


def head(players: Sequence[str]) -> str:
    return f"{'':<{WIDE}}{'target':>7}" + "".join(f"{name:>{COLUMN}}" for name in players)


def written(row: Row, line: Line, players: Sequence[str]) -> str:
    target = "" if row.target is None else f"{row.target:.2f}"
    cells = "".join(f"{_cell(row, line[name]):>{COLUMN}}" for name in players)
    return f"{row.title:<{WIDE}}{target:>7}{cells}"


def notes(line: Line, row: Row, hellos: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Why a dash stands, how a tool answered, where its answer is another, and who was ahead of garage_nb."""
    for name, cell in line.items():
        if isinstance(cell, Dash):
            yield f"{row.question}: {name}: -, {cell.reason}"
            continue
        remark = hellos[name]["remarks"].get(row.question)
        if remark:
            yield f"{row.question}: {name}: {remark}"
        if cell.off > APART:
            yield f"{row.name}: {name}: ITS ANSWER DIFFERS by {cell.off:.1%} of the largest value"
    yield from _ahead(line, row)


def _ahead(line: Line, row: Row) -> Iterator[str]:
    ours = line.get("garage_nb")
    if not isinstance(ours, Cell):
        return
    for name, cell in line.items():
        if isinstance(cell, Cell) and name != "bare":
            behind = round(ours.ratio.ratio - cell.ratio.ratio, SHOWN)
            if behind > 0:
                yield f"{row.name}: {name} is ahead of garage_nb by {behind:.2f}"


def _cell(row: Row, cell: Cell | Dash) -> str:
    if isinstance(cell, Dash):
        return "-"
    equal = ("=" if cell.equal else "≠") if row.question == "idle" else ""
    missed = "!" if row.target is not None and round(cell.ratio.ratio - row.target, SHOWN) > 0 else ""
    if row.peak:
        return f"{missed}{cell.ratio.ratio:.2f}"
    return f"{equal}{missed}{cell.ratio.ratio:.2f} {cell.ratio.low:.2f}-{cell.ratio.high:.2f}"
