"""Hybrid: a model that was put together, with the sheet it was built by and what was proved of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...inject.recipe import Recipe
from ...view.cards import Card
from ..layout.check import Check
from .delivery import Delivery

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False, eq=False)
class Hybrid(Delivery):
    """`check` is of its sheet, with all that is known of how it was put together."""

    check: Check

    @property
    def edits(self) -> Recipe:
        """Those of the sheet that are not in the weights: put them in force wherever the model runs."""
        return Recipe(self.made.edits.stays)

    def frame(self) -> pd.DataFrame:
        """One row for each claim that was proved."""
        return self.proofs.frame()

    def picture(self) -> Card:
        sheet, folding = self.check.sheet, self.check.folding
        told = {
            "grafts": [str(graft) for graft in sheet.grafts],
            "adapters": [f"{place}: {stitch.maps.said}" for place, stitch in folding.layout.stitches.items()],
            "edits in weights": [str(edit) for edit in folding.folded],
            "edits not in weights": [f"{edit}: it {why}" for edit, why in folding.stays],
        }
        said = {label: "\n".join(lines) for label, lines in told.items() if lines}
        facts = {"base": sheet.base, **said, **self.check.facts, **self.proofs.facts()}
        return Card(f"{self.name}: built and proved", facts)
