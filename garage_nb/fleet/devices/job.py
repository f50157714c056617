"""Job: what the processes of one launch are told, and what they leave, as files in a folder of its own."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ... import errors
from ...core.files import put
from ...errors import EngineError, GarageError

_JOB, RECIPE, TOKENIZER, MEETING = "job.json", "recipe.json", "tokenizer", "meeting"


@dataclass(frozen=True)
class Job:
    """`place` is a folder or what the hub knows, and `spec` what the whole model is. The `lines` are run in their
    order, with these `settings`, by each of the `processes` on a `device` of its own.
    """

    place: str
    spec: dict[str, Any]
    revision: str | None
    dtype: str
    device: str
    processes: int
    lines: tuple[str, ...]
    settings: dict[str, Any]

    def write(self, folder: Path) -> None:
        put(folder / _JOB, json.dumps(asdict(self)).encode())

    @classmethod
    def read(cls, folder: Path) -> Job:
        said = json.loads((folder / _JOB).read_bytes())
        return cls(**{**said, "lines": tuple(said["lines"])})

    def answer(self, folder: Path, number: int) -> Path:
        """Where that of one line is."""
        return folder / f"answer-{number}.csv"


def put_failure(folder: Path, rank: int, error: BaseException) -> None:
    """Why a process ends, for whoever started it."""
    told = error if isinstance(error, GarageError) else _foreign(error)
    said = {"kind": type(told).__name__, "what": told.what, "hint": told.hint}
    put(folder / f"failed-{rank}.json", json.dumps(said).encode())


def failure_in(folder: Path) -> GarageError | None:
    """The first that was put there: those of the others may only say that they lost each other."""
    found = sorted(folder.glob("failed-*.json"), key=lambda file: file.stat().st_mtime_ns)
    if not found:
        return None
    said = json.loads(found[0].read_bytes())
    kind: type[GarageError] = getattr(errors, said["kind"])
    return kind(said["what"], said["hint"])


def _foreign(error: BaseException) -> EngineError:
    first = (str(error).strip() or "nothing said").split("\n")[0]
    return EngineError(f"One of the processes ended: {type(error).__name__}: {first}", "Try it in one process.")
