"""Hybrid: a model that was put together, with the sheet it was built by and what was proved of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...inject.recipe import Recipe
from ...view.cards import Card
from ...view.shown import Shown
from ..layout.check import Check
from .kept_edits import KeptEdits
from .proof import Proofs
from .saving import save

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False, eq=False)
class Hybrid(Shown):
    """`model` is one of transformers' own class, in evaluation mode."""

    name: str
    model: Any
    tokenizer: Any
    check: Check
    proofs: Proofs

    @property
    def edits(self) -> Recipe:
        """Those of the sheet that are not in the weights: put them in force wherever the model runs."""
        return Recipe(tuple(edit for edit, _ in self.check.folding.stays))

    def saved(self, folder: str | Path) -> Hybrid:
        """Saved, and with the proof that it loads again. Errors as of `save_pretrained`."""
        _, found = save(self.model, self.tokenizer, self.proofs, self._kept, folder)
        return replace(self, proofs=replace(self.proofs, rows=(*self.proofs.rows, found)))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write a folder that `AutoModelForCausalLM.from_pretrained` opens with no garage installed; returns it.

        Edits that are not in the weights are kept beside them, for `Garage.load` to put in force.
        It takes its place whole, and only after plain transformers has given the same logits from it. BuildError where
        the folder holds what was not built here, or cannot be written; what was there stays.
        """
        return save(self.model, self.tokenizer, self.proofs, self._kept, folder)[0]

    @property
    def _kept(self) -> KeptEdits:
        return KeptEdits(self.check.folding.folded, self.edits.edits)

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
