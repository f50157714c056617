"""Saving: the frame of an answer as Parquet or CSV, with what it is and a checksum that is checked on reading.

A Parquet file holds all of it. A CSV is a plain one that anything opens, so `grid.csv.json` beside it holds the rest.
The checksum is of what is said and of the table as CSV, in both: they are one content in two forms. Each file is
written beside its place and renamed; a CSV with the JSON of another, as after a crash between the two, is refused.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.files import put, reason
from ..errors import InputError
from . import arrow
from .cells import Cells, as_csv, from_csv, spelt
from .flat import Flat
from .origin import Origin

if TYPE_CHECKING:
    import pandas as pd

FORMAT, VERSION = "garage_nb result", 1
ENDINGS = (".parquet", ".csv")


def save(origin: Origin, frame: pd.DataFrame, path: str | Path) -> Path:
    """Write to a `.parquet` or `.csv` file, by the name's ending; returns where. InputError leaves all as it was."""
    place, flat = _place(path), Flat.of(frame)
    try:
        data, exact = as_csv(flat.names, flat.cells)
    except UnicodeEncodeError:
        raise InputError(f"{origin.kind} holds half of a character.", "No file of text can.") from None
    record = {"origin": origin.to_json(), **flat.to_json(), "exact": exact}
    header = json.dumps({"format": FORMAT, "version": VERSION, "sha256": _digest(record, data), "result": record})
    files = {place: data, _beside(place): header.encode()}
    try:
        if place.suffix == ".parquet":
            files = {place: arrow.packed(flat.frame(as_text=True), header)}
        place.parent.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            put(file, content)
    except OSError as error:
        raise InputError(f"{place} cannot be written: {reason(error)}.", "Name another file.") from error
    return place


def opened(path: str | Path) -> tuple[Origin, pd.DataFrame]:
    """What was saved, bit for bit. InputError for what is not there, not ours, damaged, or newer than this version."""
    place = _place(path)
    raw = _read(place)
    header, columns = (_header_beside(place), None) if place.suffix == ".csv" else _unpacked(raw, place)
    try:
        record, digest = header["result"], header["sha256"]
        cells = from_csv(raw, record["exact"]) if columns is None else _in_order(columns, record)
        flat = Flat.from_json(record, cells)
        data = raw if columns is None else as_csv(flat.names, cells)[0]
        if digest == _digest(record, data):
            return Origin.from_json(record["origin"]), flat.frame()
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        raise _damaged(place) from None
    raise _damaged(place)


def _unpacked(raw: bytes, place: Path) -> tuple[dict[str, Any], list[list[Any]]]:
    try:
        text, columns = arrow.unpacked(raw)
    except (ValueError, OSError):
        raise _damaged(place) from None
    if text is None:
        raise InputError(f"{place} is no result of garage_nb.", "Read it with pandas.read_parquet.")
    return _header(text, place), columns


def _in_order(columns: list[list[Any]], record: dict[str, Any]) -> list[Cells]:
    """The index first."""
    heads = len(record["heads"])
    return [
        spelt(values, kind) for values, kind in zip(columns[heads:] + columns[:heads], record["kinds"], strict=True)
    ]


def _header_beside(place: Path) -> dict[str, Any]:
    beside = _beside(place)
    if not beside.is_file():
        raise InputError(f"{place} has no {beside.name} beside it.", "Bring it too, or read with pandas.read_csv.")
    return _header(_read(beside), beside)


def _header(text: str | bytes, place: Path) -> dict[str, Any]:
    try:
        header = json.loads(text)
        known, version = header["format"] == FORMAT, header["version"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise _damaged(place) from None
    if not known:
        raise _damaged(place)
    if version != VERSION:
        said = str(version)[:20]
        raise InputError(f"{place} is a result of version {said}; this one reads {VERSION}.", "Update garage_nb.")
    return dict(header)


def _damaged(place: Path) -> InputError:
    return InputError(f"{place} was changed or cut since it was saved.", "Save the result again.")


def _read(place: Path) -> bytes:
    try:
        return place.read_bytes()
    except OSError as error:
        raise InputError(f"{place} cannot be read: {reason(error)}.", "Name what `save` returned.") from None


def _place(path: str | Path) -> Path:
    place = Path(path)
    if place.suffix not in ENDINGS:
        raise InputError(f"A result cannot be kept in {str(path)!r}.", f"Give a file that ends in {_either()}.")
    return place


def _either() -> str:
    return " or ".join(ENDINGS)


def _beside(place: Path) -> Path:
    return place.with_name(f"{place.name}.json")


def _digest(record: Any, data: bytes) -> str:
    said = json.dumps(record, sort_keys=True, allow_nan=False).encode()
    return hashlib.sha256(hashlib.sha256(said).digest() + data).hexdigest()
