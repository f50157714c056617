"""Claimed: unfinished folders beside a place, which somebody still writes in or which a killed process has left.

Whoever makes one holds a lock on it, and the system lets go of that with the process, however it ends. The lock of
another machine may not be seen on a shared disk, so a folder has its machine in its name, and only those of this one
are cleared. Where no folder can be locked, as on Windows, all of them stay.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

if sys.platform != "win32":
    from fcntl import LOCK_EX, LOCK_NB, flock


@contextmanager
def claimed_beside(place: Path) -> Iterator[Path]:
    """An empty folder beside the place, under a hidden name. What has that name in the end is gone."""
    _clear(place)
    beside, lock = _new(place)
    try:
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        _let_go(lock)


def _clear(place: Path) -> None:
    """What processes that are dead have left of this place. What cannot be read or removed stays."""
    ours = re.compile(rf"\.{re.escape(place.name)}\.{_here()}-[0-9a-f]{{32}}\.tmp")
    with suppress(OSError):
        for left in [path for path in place.parent.iterdir() if ours.fullmatch(path.name)]:
            with suppress(OSError):
                lock = _locked(left)
                if lock is not None:
                    shutil.rmtree(left, ignore_errors=True)
                    _let_go(lock)


def _new(place: Path) -> tuple[Path, int | None]:
    """The folder, and the lock on it. One that somebody clears before it is locked is left to him."""
    while True:
        beside = place.with_name(f".{place.name}.{_here()}-{uuid4().hex}.tmp")
        beside.mkdir()
        with suppress(BlockingIOError, FileNotFoundError):
            lock = _locked(beside)
            if lock is None or beside.exists():
                return beside, lock
            _let_go(lock)


def _locked(folder: Path) -> int | None:
    """A handle that holds the lock, None where folders have none. BlockingIOError where somebody else holds it."""
    if sys.platform == "win32":
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        flock(handle, LOCK_EX | LOCK_NB)
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return handle


def _let_go(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _here() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]
