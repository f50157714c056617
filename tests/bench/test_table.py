"""The table: medians, the target, marks for bits and misses, and words where numbers are missing."""

from __future__ import annotations

from tests.bench.peers import Cell, Dash, Line
from tests.bench.rows import rows
from tests.bench.side_by_side import Ratio
from tests.bench.table import head, notes, written

ROWS = rows(12)


def cell(*ratios: float, off: float = 0.0, equal: bool = True) -> Cell:
    return Cell(Ratio.of("x", [(1.0, ratio) for ratio in ratios]), off, equal)


def test_a_line_has_the_target_and_a_cell_for_every_player() -> None:
    line: Line = {"hooks": cell(0.8, 0.9, 0.7), "pyvene": Dash("cannot"), "nnsight": cell(1.0)}

    text = written(ROWS["statistics"], line, ["hooks", "pyvene", "nnsight"])

    assert text.split()[-6:] == ["0.85", "0.80", "0.70-0.90", "-", "!1.00", "1.00-1.00"]
    assert head(["hooks"]).split() == ["target", "hooks"]
    assert len(head(list(line))) == len(text)


def test_the_idle_row_says_whether_the_bits_are_the_same() -> None:
    line: Line = {"hooks": cell(1.001), "transformer_lens": cell(1.02, equal=False)}

    text = written(ROWS["idle"], line, list(line))

    assert text.split()[-4:] == ["=1.00", "1.00-1.00", "≠!1.02", "1.02-1.02"]


def test_targets_follow_the_layer_that_is_moved() -> None:
    moved = {row.name: row.target for row in rows(12).values() if row.question == "slider"}

    assert {name: round(target or 0, 3) for name, target in moved.items()} == {
        "slider 0": 0.86, "slider 4": 0.593, "slider 8": 0.327, "slider 11": 0.127,
    }  # fmt: skip
    assert [row.name for row in rows(32).values() if row.question == "slider"][-1] == "slider 29"


def test_reasons_remarks_wrong_answers_and_who_is_ahead_are_in_the_notes() -> None:
    line: Line = {"garage_nb": cell(0.9), "nnsight": cell(0.2), "pyvene": Dash("no way"), "hooks": cell(1.0, off=0.5)}
    hellos = {name: {"remarks": {"sweep": "as rows"} if name == "nnsight" else {}} for name in line}

    said = list(notes(line, ROWS["sweep"], hellos))

    assert said == [
        "sweep: nnsight: as rows",
        "sweep: pyvene: -, no way",
        "sweep: hooks: ITS ANSWER DIFFERS by 50.0% of the largest value",
        "sweep: nnsight is ahead of garage_nb by 0.70",
    ]
