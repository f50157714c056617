"""Exercise files: items of one's own as JSON, a list of mappings or pairs, or as CSV with a line of heads."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from ...core.files import reason
from ...errors import InputError
from .exercise import FIELDS, NEEDED, Exercise, exercises_of

LARGEST = 100_000_000  # bytes


def read_exercises(path: str | Path) -> list[Exercise]:
    """InputError for a file that is not there, damaged, or says more than prompt, answer and domain."""
    place = Path(path)
    readers = {".json": _from_json, ".csv": _from_csv}
    if place.suffix not in readers:
        raise InputError(f"Items cannot be read from {str(path)!r}.", "Name a file that ends in .json or .csv.")
    text = _text(place)
    try:
        return exercises_of(readers[place.suffix](text, place))
    except InputError as error:
        said = error.what if place.name in error.what else f"{place.name}: {error.what}"
        raise InputError(said, error.hint) from None


def _text(place: Path) -> str:
    try:
        if place.stat().st_size > LARGEST:
            raise InputError(f"{place} is larger than {LARGEST // 1_000_000} MB.", "Judge by fewer items.")
        return place.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{place} cannot be read: {reason(error)}.", "Name a .json or .csv file of items.") from None
    except UnicodeDecodeError:
        raise InputError(f"{place} is not UTF-8.", "Save it again as UTF-8.") from None


def _from_json(text: str, place: Path) -> list[Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place.name} is no JSON: {error}.", "Write a list of items.") from None
    if not isinstance(found, list):
        raise InputError(f"{place.name} is no list of items.", 'Write [{"prompt": …, "answer": …}, …].')
    return found


def _from_csv(text: str, place: Path) -> list[dict[str, str]]:
    """Where no domain is written, there is none."""
    try:
        heads, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    except (ValueError, csv.Error) as error:
        raise InputError(f"{place.name} is no CSV with a line of heads: {error}.", _HEADS) from None
    if len(set(heads)) != len(heads) or not set(NEEDED) <= set(heads) <= set(FIELDS):
        raise InputError(f"{place.name} has the heads {', '.join(heads)}.", _HEADS)
    rows = [line for line in lines if line]
    for number, line in enumerate(rows, 1):
        if len(line) != len(heads):
            raise InputError(f"{place.name}: item {number} has {len(line)} cells under {len(heads)} heads.", _HEADS)
    return [{head: cell for head, cell in zip(heads, line, strict=True) if cell or head in NEEDED} for line in rows]


_HEADS = f"The heads are {', '.join(NEEDED)}, and domain where there are several."
