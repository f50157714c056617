"""SheetFile: where a build sheet was written, and what stands in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..compose.sheet import BuildSheet
from ..view.cards import Card
from ..view.frames import framed
from ..view.shown import Shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class SheetFile(Shown):
    file: Path
    sheet: BuildSheet

    def frame(self) -> pd.DataFrame:
        """One row a graft, in the order they act, counted from 1."""
        grafts = [str(graft) for graft in self.sheet.grafts]
        return framed("graft", range(1, len(grafts) + 1), ["said"], [(said,) for said in grafts])

    def picture(self) -> Card:
        grafts = "\n".join(map(str, self.sheet.grafts)) or "none"
        return Card("Build sheet saved", {"file": str(self.file), "base": self.sheet.base, "grafts": grafts})
