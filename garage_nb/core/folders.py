"""Folders: written beside their place and put there in one step, so that a reader meets the old one or the new one."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

from .claimed import claimed_beside
from .files import settle

_EXCHANGE = 2  # RENAME_EXCHANGE of Linux' renameat2
_HERE = -100  # AT_FDCWD: paths as they stand


def demand_folder(folder: Path) -> None:
    """Asked before the work whose result goes there: OSError where nothing could be written in the folder, or it could
    not be made. Nothing stays of it.
    """
    there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    with TemporaryFile(dir=there):
        pass


@contextmanager
def put_folder(place: Path) -> Iterator[Path]:
    """An empty folder to write in; it takes its place when the block ends well, and is gone when it does not.

    What was in that place goes with it, and so does what killed processes have left beside it. A link that leads to a
    folder is that folder; NotADirectoryError for a file.
    """
    place = place.resolve()
    if place.exists() and not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
    place.parent.mkdir(parents=True, exist_ok=True)
    with claimed_beside(place) as beside:
        yield beside
        for path in sorted(beside.rglob("*")):
            _to_disk(path)
        _put(beside, place)  # the old one has its name then, and goes with it


def _put(new: Path, place: Path) -> None:
    if not os.path.lexists(place):
        os.rename(new, place)
    elif not _exchanged(new, place):  # two steps: killed between them, the old one is whole under the other name
        aside = place.with_name(f".{place.name}.{uuid4().hex}.old")
        os.rename(place, aside)
        try:
            os.rename(new, place)
        except BaseException:
            os.rename(aside, place)
            raise
        os.rename(aside, new)
    settle(place.parent)


def _exchanged(a: Path, b: Path) -> bool:
    """Both names change their folders in one step, where the system and the disk can do that."""
    try:
        exchange = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return bool(exchange(_HERE, os.fsencode(a), _HERE, os.fsencode(b), _EXCHANGE) == 0)


def _to_disk(path: Path) -> None:
    if path.is_file():
        with suppress(OSError), open(path, "rb") as file:
            os.fsync(file.fileno())
