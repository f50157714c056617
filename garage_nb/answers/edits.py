"""InForce: the recipe after a change, as a numbered list."""

from __future__ import annotations

from dataclasses import dataclass

from ..inject.recipe import History, Recipe
from ..view.cards import Card
from ..view.shown import Shown


@dataclass(frozen=True, repr=False)
class InForce(Shown):
    """What the next run will do to the model's hidden states; the weights themselves never change."""

    history: History

    @property
    def recipe(self) -> Recipe:
        return self.history.now

    def picture(self) -> Card:
        if not len(self.recipe):
            return Card("Nothing is changed.", note="Try: scale layer_0 0.5")
        facts = {str(number): str(edit) for number, edit in enumerate(self.recipe, start=1)}
        title = "1 edit in force" if len(facts) == 1 else f"{len(facts)} edits in force"
        return Card(title, facts, note="undo takes the last change back, reset all of them.", changed=frozenset(facts))
