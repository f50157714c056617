"""Listed: the claims that can be tried, in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...view.bars import Column, Table
from ...view.frames import framed
from ...view.shown import Shown
from ..proposal import Proposal

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Claims(Shown):
    proposals: Sequence[Proposal]

    def frame(self) -> pd.DataFrame:
        """One row a claim: what was said, where, and which other models it takes to try it."""
        rows = [(one.statement, one.source, ", ".join(one.needs)) for one in self.proposals]
        return framed("claim", [one.key for one in self.proposals], ["statement", "source", "needs"], rows)

    def picture(self) -> Table:
        columns = [
            Column("says", [one.statement for one in self.proposals]),
            Column("claimed in", [one.source for one in self.proposals]),
        ]
        return Table([one.key for one in self.proposals], columns, caption="try one by its name, or all of them")
