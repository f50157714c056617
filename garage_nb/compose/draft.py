"""Draft: the sheet in the works for a model on the lift, step by step, so that grafts can be taken back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..errors import InputError
from ..inject.edit import Edit
from ..registry.lift import Lifted
from .layout.check import Check, check
from .opened import Opened
from .sheet import BuildSheet


@dataclass(frozen=True)
class Draft:
    """A value; every step is a new one. Names on its sheets are as they were said: `live` puts models in."""

    base: Lifted
    sheets: tuple[BuildSheet, ...] = ()
    opened: Opened = field(default_factory=Opened)

    def over(self, base: Lifted) -> Draft:
        """This one, or where another model is on the lift now an empty one. Donors stay open."""
        return self if base is self.base else Draft(base, opened=self.opened)

    def sheet(self, edits: Iterable[Edit]) -> BuildSheet:
        """As it is now, with edits that act on the result."""
        now = self.sheets[-1] if self.sheets else BuildSheet(self.base.spec.model_id)
        return replace(now, edits=tuple(edits))

    def live(self, sheet: BuildSheet) -> BuildSheet:
        """With the model on the lift for its base, if it is that one, and open donors as they are in memory."""
        found = self.opened.beside(sheet)
        mine = {sheet.base: self.base} if sheet.base == self.base.spec.model_id else {}
        return replace(found, donors={**found.donors, **mine})

    def to(self, sheet: BuildSheet) -> tuple[Draft, Check]:
        """BuildError for a graft that does not fit."""
        checked = check(self.live(sheet))
        checked.demand()
        return Draft(self.base, (*self.sheets, sheet), self.opened.and_of(sheet, checked)), checked

    def undo(self) -> Draft:
        self._demand_some()
        return replace(self, sheets=self.sheets[:-1])

    def clear(self) -> Draft:
        self._demand_some()
        return replace(self, sheets=())

    def _demand_some(self) -> None:
        if not self.sheets:
            raise InputError("There is no graft to take back.", 'Begin with one: stack "0:4 2:6"')
