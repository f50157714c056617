"""Cells: the columns of a frame as plain text and back, so that not a bit of a number and no letter of a text is lost.

A column of scalars of several kinds is written as JSON, cell by cell. What a table of plain text cannot say, that a
text is missing or holds a NUL, is told beside it as `exact`: (row, column, what it is).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Cells = list[str | None]
Exact = list[list[Any]]
TEXT, MIXED = "text", "mixed"
NUL, SIGN = "\x00", "\u2400"  # few programs read a NUL; its sign stands for it
NUMBERS = re.compile(r"((u?int|float)\d+|bool(ean)?)", re.IGNORECASE)
CLAIMS = {"True": True, "False": False}


def kind_of(values: pd.Series) -> str:
    """`text`, `mixed`, or the name of a dtype of numbers. InputError for what is no scalar."""
    if _is_text(values):
        return TEXT
    if values.dtype == object and all(isinstance(value, str | int | float | None) for value in values):
        return MIXED
    if NUMBERS.fullmatch(str(values.dtype)):
        return str(values.dtype)
    raise InputError(f"{values.name!r} holds more than texts and numbers.", "Save what can be written in a table.")


def plain(values: pd.Series, kind: str) -> Cells:
    """One text a cell: None for a text that is missing, an empty one for a number."""
    if kind == MIXED:
        return [json.dumps(value) for value in values]
    missing = values.isna().tolist()
    return spelt([None if none else cell for cell, none in zip(values.tolist(), missing, strict=True)], kind)


def spelt(values: Sequence[Any], kind: str) -> Cells:
    """The same of plain Python values, with JSON as it is."""
    if kind in (TEXT, MIXED):
        return [None if value is None else str(value) for value in values]
    return ["" if value is None else repr(value) for value in values]


def column(cells: Cells, kind: str) -> pd.Series:
    """What `plain` was given. ValueError or TypeError for what it never wrote."""
    import pandas as pd

    values, dtype = _values(cells, kind)
    found: pd.Series = pd.Series(values, dtype=dtype)
    return found


def as_csv(heads: Sequence[str], columns: Sequence[Cells]) -> tuple[bytes, Exact]:
    """UTF-8, a line of heads and one a row, as RFC 4180 has it; and what it cannot say."""
    exact: Exact = [
        [row, place, cell]
        for place, cells in enumerate(columns)
        for row, cell in enumerate(cells)
        if cell is None or NUL in cell
    ]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([head.replace(NUL, SIGN) for head in heads])
    writer.writerows([(cell or "").replace(NUL, SIGN) for cell in row] for row in zip(*columns, strict=True))
    return stream.getvalue().encode("utf-8"), exact


def from_csv(data: bytes, exact: Exact) -> list[Cells]:
    """The columns. ValueError or LookupError for what `as_csv` never wrote."""
    heads, *rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    columns: list[Cells] = [[row[place] for row in rows] for place in range(len(heads))]
    for row, place, cell in exact:
        columns[place][row] = cell
    return columns


def _values(cells: Cells, kind: str) -> tuple[list[Any], Any]:
    """Python's own, and the dtype they had."""
    if kind == TEXT:
        return list(cells), _text()
    if kind == MIXED:
        return [json.loads(cell or "null") for cell in cells], object
    read = _reader(kind)
    return [read(cell) if cell else None for cell in cells], kind


def _reader(kind: str) -> Callable[[str], Any]:
    """Of one cell of numbers or claims."""
    if kind.lower().startswith("bool"):
        return CLAIMS.__getitem__
    return float if kind.lower().startswith("float") else int


def _is_text(values: pd.Series) -> bool:
    if values.dtype != _text():
        return False
    texts = all(isinstance(value, str | None) for value in values) and bool(values.notna().any())
    return values.dtype != object or texts


def _text() -> Any:
    """What pandas makes of texts: a dtype of their own from pandas 3 on, object before."""
    import pandas as pd

    return pd.Series(["text"]).dtype
