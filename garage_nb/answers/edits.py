"""InForce: the recipe after a change, as a numbered list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..inject.recipe import History, Recipe
from ..plain import count, one_line
from ..view.cards import Card
from ..view.frames import framed
from ..view.shown import Shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class InForce(Shown):
    """What the next run will do to the model's hidden states; the weights themselves never change."""

    history: History

    @property
    def recipe(self) -> Recipe:
        return self.history.now

    def frame(self) -> pd.DataFrame:
        """One row an edit, in the order they act, counted from 1."""
        rows = [(edit.verb, edit.at, str(edit.tokens), str(edit)) for edit in self.recipe]
        return framed("edit", range(1, len(rows) + 1), ["verb", "part", "tokens", "said"], rows)

    def picture(self) -> Card:
        if not len(self.recipe):
            return Card("Nothing is changed.", note="Try: scale layer_0 0.5")
        facts = {str(number): one_line(str(edit)) for number, edit in enumerate(self.recipe, start=1)}
        title = f"{count(len(facts), 'edit')} in force"
        return Card(title, facts, note="undo takes the last change back, reset all of them.", changed=frozenset(facts))
