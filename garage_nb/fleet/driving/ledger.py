"""Ledger: results on disk, a file each, under the name of all that they depend on.

A file says what it holds and is checked when it is read, so whatever became of it meanwhile, what comes out is what was
put in, or nothing.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from pathlib import Path

from ...core.files import put, reason
from ...errors import LedgerError

ENDING = ".part"
STALE = 3600.0  # seconds after which an unfinished file is nobody's: writing one takes far less
_SEAL = hashlib.sha256().digest_size


class Ledger:
    """In a folder, which is made; several drivers may share it. LedgerError where it cannot be."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(
                f"The ledger cannot be made, {reason(error)}: {self.folder}", "Name a folder that can be written."
            ) from error
        self._sweep()

    def __contains__(self, key: str) -> bool:
        """Whether there is a file for it. Only `get` says whether it is whole."""
        return self.path(key).is_file()

    def path(self, key: str) -> Path:
        return self.folder / f"{key}{ENDING}"

    def get(self, key: str) -> bytes | None:
        """What was put there. A damaged file is a miss, and removed."""
        try:
            held = self.path(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refused("read", self.path(key), error) from error
        seal, data = held[:_SEAL], held[_SEAL:]
        if seal == _seal(key, data):
            return data
        self._remove(self.path(key))
        return None

    def put(self, key: str, data: bytes) -> None:
        """On the disk when this returns. LedgerError leaves all that was there."""
        try:
            put(self.path(key), _seal(key, data) + data)
        except OSError as error:
            raise _refused("written", self.path(key), error) from error

    def _sweep(self) -> None:
        """What killed writers left."""
        for path in self.folder.glob(f"*{ENDING}.*.tmp"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > STALE:
                    path.unlink()

    def _remove(self, path: Path) -> None:
        with suppress(OSError):
            path.unlink()


def _seal(key: str, data: bytes) -> bytes:
    """Of the key too: a file under another's name is not its result."""
    return hashlib.sha256(key.encode() + b"\0" + data).digest()


def _refused(done: str, path: Path, error: OSError) -> LedgerError:
    return LedgerError(
        f"The ledger cannot be {done}, {reason(error)}: {path}",
        "What is in it is kept: make room or name another folder, and run it again.",
    )
