"""Keeping: where what is done piece by piece is kept: in a folder of one's own, or for as long as the session lasts."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from ..fleet.driving.ledger import Ledger
from .session import Session


class Keeping(Session):
    def ledger_in(self, folder: str | Path | None) -> Ledger:
        """Of this session where no folder is named. LedgerError as of Ledger."""
        return Ledger(Path(folder).expanduser() if folder else self._ledger.name)

    @cached_property
    def _ledger(self) -> TemporaryDirectory[str]:
        """Gone with the session."""
        return TemporaryDirectory(prefix="garage_nb-ledger-")
