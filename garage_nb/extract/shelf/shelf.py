"""Shelf: the part files of a folder, whole and damaged ones."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.files import reason
from ...errors import GarageError, PartFileError
from ...view.bars import Column, Table
from ...view.frames import framed
from ...view.shown import Shown
from .card import PartCard
from .loading import opened
from .saving import SEAL

if TYPE_CHECKING:
    import pandas as pd

_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Shelved:
    """One part file. `card` is None, and `damage` says why, where it cannot be trusted."""

    file: str
    card: PartCard | None
    damage: str = ""


@dataclass(frozen=True, repr=False)
class Shelf(Shown):
    """The part files of one folder, in natural order."""

    folder: str
    parts: tuple[Shelved, ...]

    def __len__(self) -> int:
        return len(self.parts)

    def frame(self) -> pd.DataFrame:
        """One row a file; of a damaged one only what is wrong with it, with NaN for the numbers."""
        heads = ["part", "family", "from", "input_dim", "output_dim", "parameters", "licence", "damage"]
        rows = [[math.nan if value is None else value for value in _row(one)] for one in self.parts]
        return framed("file", [one.file for one in self.parts], heads, rows)

    def picture(self) -> Table:
        rows = [_row(one) for one in self.parts]
        columns = [
            Column("part", [row[0] or "✗ damaged" for row in rows]),
            Column("from", [f"{row[2]} ({row[1]})" if row[0] else "" for row in rows]),
            Column("width", [f"{row[3]} → {row[4]}" if row[0] else "" for row in rows]),
            Column("parameters", [f"{row[5]:,}" if row[0] else "" for row in rows]),
            Column("licence", [row[6] if row[0] else one.damage for row, one in zip(rows, self.parts, strict=True)]),
        ]
        count = {0: "No parts", 1: "1 part"}.get(len(self.parts), f"{len(self.parts)} parts")
        title = f"{count} in {self.folder}"
        return Table([one.file for one in self.parts], columns, title=title)


Row = tuple[str, str, str, int | None, int | None, int | None, str, str]


def shelf(folder: str | Path) -> Shelf:
    """Each is read and checked against its checksums; other files are passed over. PartFileError without a folder."""
    try:
        files = sorted((path for path in Path(folder).iterdir() if path.suffix == ".json"), key=_naturally)
    except OSError as error:
        raise PartFileError(
            f"{folder} cannot be opened: {reason(error)}.", "Name the folder that parts were saved to."
        ) from None
    return Shelf(str(folder), tuple(_shelved(path) for path in files if _is_ours(path)))


def _is_ours(path: Path) -> bool:
    """Or looks it: what is no JSON at all may have been one of ours."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return True
    return isinstance(record, dict) and record.get("format") == SEAL.kind


def _shelved(path: Path) -> Shelved:
    try:
        return Shelved(path.name, opened(path)[0])
    except GarageError as error:
        return Shelved(path.name, None, error.what)


def _row(one: Shelved) -> Row:
    if one.card is None:
        return "", "", "", None, None, None, "", one.damage
    known = one.card.description
    sizes = known.input_dim, known.output_dim, known.parameters
    return known.name, known.family.value, known.model_id, *sizes, one.card.licence, ""


def _naturally(path: Path) -> list[tuple[bool, int, str]]:
    """Attention 2 before attention 10."""
    pieces = _DIGITS.split(path.name)
    return [(not piece.isdigit(), int(piece) if piece.isdigit() else 0, piece) for piece in pieces]
