"""Length: how many texts a corpus has, where that can be told without reading all of them as a model would."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from pathlib import Path

_PIECE = 1 << 20  # bytes read at a time


def length_of(source: Path | Iterable[object]) -> int | None:
    """Lines of a file, rows of a table, or what `len` says; None for a packed file and for what has no length.

    Blank lines are counted too: this is for saying how far one is.
    """
    if isinstance(source, Path):
        return _stored(source)
    return len(source) if isinstance(source, Sized) else None


def is_read_once(source: object) -> bool:
    """Whether nothing is left of it when it has been read: an iterator."""
    return isinstance(source, Iterable) and iter(source) is source


def _stored(path: Path) -> int | None:
    name = path.name.lower()
    if name.endswith(".parquet"):
        from pyarrow.parquet import read_metadata

        return int(read_metadata(path).num_rows)
    return None if name.endswith(".gz") else _lines(path)


def _lines(path: Path) -> int:
    found, last = 0, b"\n"
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            found, last = found + piece.count(b"\n"), piece[-1:]
    return found + (last != b"\n")
