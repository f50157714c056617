"""Spec files: one JSON file a key, written whole or not at all, with a checksum that is checked on reading.

Reading changes nothing on disk. Writing never destroys what it cannot read: the bytes of a damaged file are copied to
`.damaged`, `.damaged-2`, … before the new record takes its place.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from ..core.files import reason, settle, write_new
from ..errors import SpecFileError
from .specs import ModelSpec

SCHEMA = 5
_HEAD = 4096  # bytes
_A_DAY = 86_400  # seconds; no writer takes that long, so an older temporary file belongs to one that was killed


class Key(NamedTuple):
    """What a spec is filed under: any text, and what kind of name that text is (`id`, `anatomy`)."""

    kind: str
    text: str


class SpecStore:
    """Specs in a folder. File names are hashes of the key, so no key can leave the folder or share a file."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else default_folder()

    def path(self, key: Key) -> Path:
        """Versions with different schemas keep different files, so neither takes the other's for damaged."""
        return self.folder / f"{_digest(ascii((SCHEMA, *key)))[:32]}.json"

    def save(self, key: Key, spec: ModelSpec) -> Path:
        """File `spec`; a file that says the same already is left alone.

        SpecFileError when that cannot be done: then every file is as it was.
        """
        path = self.path(key)
        try:
            with suppress(FileExistsError):  # a file in the folder's place: opening says so in clearer words
                self.folder.mkdir(parents=True, exist_ok=True)
            self._put(path, key, _encoded(key, spec))
        except OSError as error:
            raise SpecFileError(
                f"The spec of {spec.model_id!r} cannot be written: {reason(error)}: {path}",
                "No spec file was changed. Repair that, or name another folder with cache_dir or GARAGE_NB_CACHE.",
            ) from error
        return path

    def load(self, key: Key) -> ModelSpec | None:
        """The spec filed under `key`; None when there is none, or none that can be trusted."""
        with suppress(SpecFileError):
            return self.read(key)
        return None

    def read(self, key: Key) -> ModelSpec | None:
        """As `load`, but SpecFileError, which says where the file is, for one that is there and cannot be trusted."""
        path = self.path(key)
        try:
            raw = _bytes_of(path)
        except OSError as error:
            raise SpecFileError(
                f"The spec file of {key.text!r} cannot be read: {reason(error)}: {path}",
                "Let this user read it or move it away, then register the model again.",
            ) from error
        spec = None if raw is None else _spec_in(raw, key)
        if raw is not None and spec is None:
            raise SpecFileError(
                f"The spec file of {key.text!r} is damaged: {path}",
                f"Register the model again; the damaged file is kept beside it as {_aside(path).name}.",
            )
        return spec

    def keys(self) -> list[Key]:
        """The keys of all files that can be trusted, sorted."""
        return sorted(key for path in self.folder.glob("*.json") if (key := self._key_at(path)) is not None)

    def filed(self, kind: str) -> list[str]:
        """What is filed under keys of a kind, read off the head of each file: fast, and no promise that it is whole."""
        found = [(key, path) for path in self.folder.glob("*.json") if (key := _headed(path)) is not None]
        return sorted(key.text for key, path in found if key.kind == kind and self.path(key) == path)

    def _key_at(self, path: Path) -> Key | None:
        with suppress(OSError):
            found = _opened(_bytes_of(path) or b"")
            return found[0] if found is not None and self.path(found[0]) == path else None
        return None

    def _put(self, path: Path, key: Key, new: bytes) -> None:
        """A reader meets the old file or the new one, both whole, and there is never a moment without one."""
        old = _bytes_of(path)
        if old == new:
            return
        _sweep(self.folder)
        temporary = path.with_suffix(f".{uuid4().hex}.tmp")
        write_new(temporary, new)
        try:
            if old is not None and _spec_in(old, key) is None:
                _keep_aside(path, old)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        settle(self.folder)


def default_folder() -> Path:
    """`$GARAGE_NB_CACHE`, else `garage_nb` in the user's cache folder."""
    own = os.environ.get("GARAGE_NB_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(base) / "garage_nb" / "specs"


def _encoded(key: Key, spec: ModelSpec) -> bytes:
    body = spec.to_json()
    record = {"schema": SCHEMA, "key": key, "sha256": _digest(json.dumps(body)), "spec": body}
    # Not as \\u escapes: JSON would give two lone surrogates back as the one character they are halves of.
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _opened(raw: bytes) -> tuple[Key, ModelSpec] | None:
    """Key and spec of a whole record of this schema, None for any other bytes."""
    try:
        record = json.loads(raw.decode("utf-8", "surrogatepass"))
        whole = record["schema"] == SCHEMA and record["sha256"] == _digest(json.dumps(record["spec"]))
        return (Key(*map(str, record["key"])), ModelSpec.from_json(record["spec"])) if whole else None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _headed(path: Path) -> Key | None:
    """The key a record begins with, None where it does not begin as `_encoded` would have it."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8", "surrogatepass")
        return Key(*map(str, json.JSONDecoder().raw_decode(head.partition('"key": ')[2])[0]))
    except (OSError, ValueError, TypeError):
        return None


def _spec_in(raw: bytes, key: Key) -> ModelSpec | None:
    """The spec, when these bytes are a whole record filed under this very key."""
    found = _opened(raw)
    return found[1] if found is not None and found[0] == key else None


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _keep_aside(path: Path, raw: bytes) -> None:
    """A copy: a rename could carry off the good file that another process has put there meanwhile."""
    while True:
        with suppress(FileExistsError):
            return write_new(_aside(path), raw)


def _aside(path: Path) -> Path:
    """The first name that is free."""
    names = itertools.chain([".damaged"], (f".damaged-{number}" for number in itertools.count(2)))
    return next(aside for name in names if not (aside := path.with_suffix(name)).exists())


def _sweep(folder: Path) -> None:
    """Remove what killed writers left; never worth failing for."""
    for path in folder.glob("*.tmp"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _A_DAY:
                path.unlink()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
