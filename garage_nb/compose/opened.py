"""Opened: models that a sheet named in words, kept in memory so that each is opened once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..registry.lift import Lifted
from .layout.check import Check
from .sheet import BuildSheet

_Key = tuple[str, str, int, int]  # what `load` takes, the dtype asked for, and which folder of that name it was


@dataclass(frozen=True)
class Opened:
    models: Mapping[_Key, Lifted] = field(default_factory=dict)

    def beside(self, sheet: BuildSheet) -> BuildSheet:
        """The sheet with all of its donors that are open as they are in memory."""
        keys = {name: _key(said, sheet.dtype) for name, said in _in_words(sheet).items()}
        known = {name: self.models[key] for name, key in keys.items() if key in self.models}
        return replace(sheet, donors={**sheet.donors, **known})

    def and_of(self, sheet: BuildSheet, checked: Check) -> Opened:
        """With those that checking the sheet has opened. Parts are none."""
        found = {
            _key(said, sheet.dtype): lifted
            for name, said in _in_words(sheet).items()
            if name in checked.donors and (lifted := checked.donors[name].lifted) is not None
        }
        return Opened({**self.models, **found})


def _in_words(sheet: BuildSheet) -> dict[str, str]:
    """By names on the sheet, of those that it uses."""
    said = {name: sheet.donors.get(name, name) for name in sheet.used}
    return {name: source for name, source in said.items() if isinstance(source, str)}


def _key(said: str, dtype: str) -> _Key:
    """A folder that was written anew since holds another model."""
    try:
        file = (Path(said).expanduser() / "config.json").stat()
    except (OSError, ValueError, RuntimeError):  # no folder, no path at all, or nobody's home
        return said, dtype, 0, 0
    return said, dtype, file.st_ino, file.st_mtime_ns
