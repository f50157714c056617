"""Kept: where a drive writes: a folder of the user's that stays, or one that is gone when all is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from .ledger import Ledger


@contextmanager
def kept(folder: str | Path) -> Iterator[Ledger]:
    """In that folder, and in one for the moment where none is named. LedgerError as of Ledger."""
    if str(folder):
        yield Ledger(Path(folder).expanduser())
        return
    with TemporaryDirectory(prefix="garage-ledger-") as place:
        yield Ledger(place)
