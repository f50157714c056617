"""Spec files: one JSON file per model id, written whole or not at all, with a checksum that is checked on reading."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ..errors import SpecFileError
from .specs import ModelSpec

SCHEMA = 1


class SpecStore:
    """Specs in a folder. File names are hashes of the id, so no id can leave the folder or share a file."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else default_folder()

    def path(self, model_id: str) -> Path:
        return self.folder / f"{_digest(model_id)[:32]}.json"

    def save(self, spec: ModelSpec) -> Path:
        """Write beside and rename. A damaged file that stood there is kept as `.damaged`."""
        path = self.path(spec.model_id)
        body = spec.to_json()
        record = {"schema": SCHEMA, "model_id": spec.model_id, "sha256": _digest(_canonical(body)), "spec": body}
        self.folder.mkdir(parents=True, exist_ok=True)
        self._set_damaged_aside(spec.model_id)
        _replace(path, json.dumps(record, indent=1))
        return path

    def load(self, model_id: str) -> ModelSpec | None:
        """The stored spec, None when there is none. SpecFileError when the file is damaged; the file is left alone."""
        path = self.path(model_id)
        if not path.exists():
            return None
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            spec = ModelSpec.from_json(record["spec"])
            whole = record["schema"] == SCHEMA and record["sha256"] == _digest(_canonical(record["spec"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            whole = False
        if not whole or spec.model_id != model_id:
            raise SpecFileError(
                f"The spec file of {model_id!r} is damaged: {path}",
                "Register the model again; the damaged file is kept.",
            )
        return spec

    def ids(self) -> list[str]:
        """The ids of all files that can be read, sorted."""
        return sorted(found for path in self.folder.glob("*.json") if (found := _id_in(path)) is not None)

    def _set_damaged_aside(self, model_id: str) -> None:
        try:
            self.load(model_id)
        except SpecFileError:
            path = self.path(model_id)
            os.replace(path, path.with_suffix(".damaged"))


def default_folder() -> Path:
    """`$GARAGE_NB_CACHE`, else `garage_nb` in the user's cache folder."""
    own = os.environ.get("GARAGE_NB_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(base) / "garage_nb" / "specs"


def _id_in(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["model_id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _canonical(body: Any) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
