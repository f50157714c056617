"""Lines: files of text and of JSON, plain or gzipped, read one line after the other; UTF-8 with or without a BOM."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

from ...core.files import reason
from ...errors import InputError
from .entry import Raw
from .text import SetAside, beginning

_BOM = b"\xef\xbb\xbf"


def lines(path: Path) -> Iterator[Raw]:
    """One text a line, without its line end. Lines count from 1; one that is not UTF-8 is set aside.

    InputError where the file cannot be read on.
    """
    for number, line in enumerate(_bytes(path), start=1):
        where = f"line {number}"
        try:
            yield where, line.decode()
        except UnicodeDecodeError as error:
            why = f"it is not UTF-8: byte 0x{line[error.start]:02x} at {error.start}"
            yield SetAside(where, why, beginning(line.decode(errors="replace")))


def objects(path: Path) -> Iterator[Raw]:
    """One JSON object a line; a line that is none is set aside."""
    for raw in lines(path):
        yield raw if isinstance(raw, SetAside) else _object(*raw)


def _object(where: str, line: object) -> Raw:
    said = str(line)
    if not said.strip():
        return SetAside(where, "it is empty")
    try:
        found = json.loads(said)
    except json.JSONDecodeError as error:
        return SetAside(where, f"it is no JSON from column {error.colno} on: {_wrong(error)}", beginning(said))
    except (ValueError, RecursionError):
        return SetAside(where, "it is JSON that cannot be read", beginning(said))
    return (where, found) if isinstance(found, dict) else SetAside(where, "it is no JSON object", beginning(said))


def _wrong(error: json.JSONDecodeError) -> str:
    """Without the words that lead to a place: the column has been said."""
    return error.msg.removesuffix(" at").removesuffix(" starting")


def _bytes(path: Path) -> Iterator[bytes]:
    number = 0
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield (line.removeprefix(_BOM) if number == 1 else line).removesuffix(b"\n").removesuffix(b"\r")
    except (OSError, EOFError, zlib.error) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise InputError(
            f"{path} cannot be read behind line {number}: {why}.", "Write or fetch the file again."
        ) from error
