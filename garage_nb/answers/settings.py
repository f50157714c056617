"""Settings: what verbs take where nothing is said. One field each; a new one is a field with how it is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields, replace
from operator import index
from typing import TYPE_CHECKING, Any

from ..core.stats import TAU
from ..errors import InputError, nearest
from ..view.bars import Column, Table
from ..view.frames import framed
from ..view.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

SWITCH = {"on": True, "off": False, "true": True, "false": False}


def _threshold(value: Any) -> float:
    number = float(value)
    if not 0 <= number < math.inf:
        raise ValueError
    return number


def _count(value: Any) -> int:
    number = int(value) if isinstance(value, str) else index(value)
    if isinstance(value, bool) or number < 1:
        raise ValueError
    return number


def _switch(value: Any) -> bool:
    return SWITCH[str(value).lower()]


def _setting(default: Any, about: str, takes: str, read: Callable[[Any], Any]) -> Any:
    return field(default=default, metadata={"about": about, "takes": takes, "read": read})


@dataclass(frozen=True, kw_only=True, repr=False)
class Settings(Shown):
    """Of one Garage; they stay when another model is loaded."""

    tau: float = _setting(TAU, "sparsity threshold of capture and plot", "a number from 0 up, such as 0.1", _threshold)
    tokens: int = _setting(20, "how many new tokens generate writes", "a whole number from 1 up, such as 20", _count)
    debug: bool = _setting(False, "every error in a notebook with its whole traceback", "on or off", _switch)

    def changed(self, name: str, value: Any) -> Settings:
        """With one of them set. InputError for a name there is not, or a value that it does not take."""
        entry = self._entry(name)
        try:
            return replace(self, **{name: entry.metadata["read"](value)})
        except (TypeError, ValueError, KeyError, OverflowError):
            takes = entry.metadata["takes"]
            raise InputError(f"{name} cannot be {_said(value)}.", f"It takes {takes}: config {name} …") from None

    def frame(self) -> pd.DataFrame:
        """One row a setting."""
        rows = [(getattr(self, entry.name), entry.default, entry.metadata["about"]) for entry in fields(self)]
        return framed("setting", [entry.name for entry in fields(self)], ["value", "default", "about"], rows)

    def picture(self) -> Table:
        entries = fields(self)
        values = Column("value", [_said(getattr(self, entry.name)) for entry in entries])
        about = Column("what it is", [entry.metadata["about"] for entry in entries])
        changed = frozenset(entry.name for entry in entries if getattr(self, entry.name) != entry.default)
        names = [entry.name for entry in entries]
        return Table(names, [values, about], "To change one: config tau 0.2", changed, title="settings")

    def _entry(self, name: str) -> Field[Any]:
        known = {entry.name: entry for entry in fields(self)}
        if name not in known:
            raise InputError(f"There is no setting {name!r}.", f"Nearest: {nearest(name, known)}. `config` lists all.")
        return known[name]


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
