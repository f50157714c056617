"""Files: written whole or not at all, under names that are not taken from anybody."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4


def put(path: Path, data: bytes) -> None:
    """A reader meets the old file or the new one, both whole. An OSError leaves the old one."""
    temporary = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
    write_new(temporary, data)
    try:
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    settle(path.parent)


def write_new(path: Path, data: bytes) -> None:
    """A new file, on the disk when this returns and gone when it fails. FileExistsError when there is one."""
    file = open(path, "xb")  # noqa: SIM115 - closed before it is removed, as Windows demands; the umask sets its mode
    try:
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def settle(folder: Path) -> None:
    """Put a new name itself on the disk. Windows and some network disks cannot; the file is whole there too."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def reason(error: OSError) -> str:
    """In the system's own words."""
    return error.strerror or str(error)
