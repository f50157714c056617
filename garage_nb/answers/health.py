"""Health: what the doctor found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..doctor.check import Check
from ..doctor.machine import machine
from ..doctor.notebook import notebook
from ..doctor.packages import packages
from ..view.bars import Column, Table
from ..view.frames import framed
from ..view.shown import Shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Health(Shown):
    """One check a line: `ok`, `check` (for you to judge) or `fix` (something will fail)."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing will fail."""
        return not self._of("fix")

    def __bool__(self) -> bool:
        return self.ok

    def frame(self) -> pd.DataFrame:
        """One row a check."""
        rows = [(check.state, check.found, check.todo) for check in self.checks]
        return framed("check", [check.name for check in self.checks], ["state", "found", "todo"], rows)

    def picture(self) -> Table:
        fix, look = len(self._of("fix")), len(self._of("check"))
        title = f"{fix} to fix, {look} to check" if fix else f"All that is needed works; {look} to check"
        todo = [f"→ {check.todo}" if check.todo else "" for check in self.checks]
        columns = [
            Column("", [check.state for check in self.checks]),
            Column("found", [check.found for check in self.checks]),
            Column("what to do", todo),
        ]
        names = [check.name for check in self.checks]
        return Table(names, columns, title=title if fix or look else "All is well")

    def _of(self, state: str) -> list[Check]:
        return [check for check in self.checks if check.state == state]


def examined(page: Check) -> Health:
    """Everything that can be known from here; `page` is what is known of the front end."""
    return Health((*packages(), *notebook(), page, *machine()))
