"""The matrix: every class of transformers, and what was found out about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from garage_nb.errors import GarageError
from garage_nb.registry.decompose import spec_of

from .checks import CHECKS
from .opened import Opened
from .zoo import Entry, build


@dataclass(frozen=True)
class Row:
    """`state` is "ok", "refused", "not built" or "wrong"; `checks` holds what each said."""

    task: str
    model_type: str
    class_name: str
    state: str
    reason: str = ""
    checks: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def row(entry: Entry) -> Row:
    """Builds one tiny model, opens it and checks all there is."""
    named = (entry.task, entry.model_type, entry.class_name)
    if entry.refused:
        return Row(*named, "not built", entry.refused)
    try:
        model = build(entry)
    except Exception as error:
        return Row(*named, "not built", _line(error))
    try:
        spec = spec_of(model, entry.model_type)
    except GarageError as error:
        return Row(*named, "refused", error.what)
    opened, said = Opened(model, spec), {}
    if not opened.deterministic:
        return Row(*named, "ok", "", {"all": "n/a: the model itself answers differently each time"})
    for name, check in CHECKS.items():
        try:
            said[name] = check(opened)
        except (AssertionError, GarageError) as error:
            said[name] = f"WRONG: {_line(error)}"
    wrong = [name for name, words in said.items() if words.startswith("WRONG")]
    return Row(*named, "wrong" if wrong else "ok", ", ".join(wrong), said)


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:160]
