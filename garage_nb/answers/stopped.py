"""Stopped: whether there was a run to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..view.cards import Card
from ..view.frames import framed
from ..view.shown import Shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Stopped(Shown):
    """`found` is whether a run was under way; whoever started it gets a CancelledError before its next block."""

    model_id: str
    found: bool

    def __bool__(self) -> bool:
        return self.found

    def frame(self) -> pd.DataFrame:
        """One row."""
        return framed("model", [self.model_id], ["found"], [(self.found,)])

    def picture(self) -> Card:
        said = "the run was asked to stop; it ends before its next block" if self.found else "nothing was running"
        return Card(f"{self.model_id}: {said}.")
