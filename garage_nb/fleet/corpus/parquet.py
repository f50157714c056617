"""Parquet: rows of a table in batches, and of them only the columns that are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...core.files import reason
from ...errors import InputError
from ...view.arrow import demand_pyarrow
from .entry import Fields, Raw
from .found import demand_fields
from .text import SetAside

_ROWS = 256  # at once
_BUFFER = 1 << 20  # bytes of a column; without it, or buffered ahead, a whole row group is in memory


def rows(path: Path, fields: Fields) -> Iterator[Raw]:
    """Rows count from 0. InputError without pyarrow, for a missing column and where the file cannot be read on."""
    pyarrow, parquet = demand_pyarrow("Give the corpus as .jsonl")
    try:
        with parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
            demand_fields([dict.fromkeys(file.schema_arrow.names)], fields)
            yield from _rows(file.iter_batches(_ROWS, columns=fields.names), fields)
    except (OSError, pyarrow.ArrowException) as error:
        why = reason(error) if isinstance(error, OSError) else str(error).rstrip(".")
        raise InputError(f"{path} cannot be read: {why}.", "Write or fetch the file again.") from error


def _rows(batches: Iterator[Any], fields: Fields) -> Iterator[Raw]:
    number = 0
    for batch in batches:
        for cells in zip(*(batch.column(name) for name in fields.names), strict=True):
            yield _row(f"row {number}", fields, cells)
            number += 1


def _row(where: str, fields: Fields, cells: tuple[Any, ...]) -> Raw:
    try:
        return where, {name: cell.as_py() for name, cell in zip(fields.names, cells, strict=True)}
    except UnicodeDecodeError:
        return SetAside(where, "it is not UTF-8")
