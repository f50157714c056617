"""Desk: a recipe under the hand, as on a mixing desk: a fader for a part, bypass and solo, and steps to take back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..core.tokens import EVERY
from ..errors import EditError
from ..registry.specs import ModelSpec
from .edit import Edit
from .edits import Scale
from .recipe import History, Recipe

STRONGEST = 1000.0  # a factor beyond which numbers of sixteen bits overflow after one layer


@dataclass(frozen=True)
class Desk:
    """A value; every move is a new desk. `draft` is the whole recipe, `heard` what of it acts.

    A fader is the plain Scale of a part, over all tokens: at 1 there is none. `gesture` is the part and number of the
    last move: moves of one part that bear one number are one step for undo.
    """

    spec: ModelSpec = field(compare=False, repr=False)
    history: History = field(default_factory=History)
    bypassed: frozenset[str] = frozenset()
    soloed: frozenset[str] = frozenset()
    gesture: tuple[str, int] | None = None

    @property
    def draft(self) -> Recipe:
        return self.history.now

    @property
    def heard(self) -> Recipe:
        """Without what is bypassed; where any place is soloed, only what acts there."""
        return Recipe(tuple(edit for edit in self.draft if self._is_heard(self.spec.name(edit.at))))

    def factor(self, part: str) -> float:
        found = self._fader(part)
        return 1.0 if found is None else self.draft.edits[found].values()["factor"]

    def turned(self, part: str, factor: float, number: int | None = None) -> Desk:
        """With a fader moved. EditError for what is no factor, or where nothing can be scaled."""
        if not -STRONGEST <= factor <= STRONGEST:  # neither is NaN
            raise EditError(f"A factor of {factor:g} is not to be tried.", f"From -{STRONGEST:g} to {STRONGEST:g}.")
        edits, found = list(self.draft.edits), self._fader(part)
        place = slice(len(edits), None) if found is None else slice(found, found + 1)
        edits[place] = [] if factor == 1 else [Scale(part, factor)]
        recipe = Recipe(tuple(edits))
        recipe.taps(self.spec)
        if recipe == self.draft:
            return self
        gesture = None if number is None else (part, number)
        goes_on = gesture is not None and gesture == self.gesture
        history = replace(self.history, now=recipe) if goes_on else self.history.to(recipe)
        return replace(self, history=history, gesture=gesture)

    def to(self, recipe: Recipe) -> Desk:
        return replace(self, history=self.history.to(recipe), gesture=None)

    def dropped(self, edit: int) -> Desk:
        """Without that edit of the draft, counted from 0."""
        edits = self.draft.edits
        if not 0 <= edit < len(edits):
            raise EditError(f"There is no edit number {edit}.", f"There are {len(edits)}, counted from 0.")
        return self.to(Recipe((*edits[:edit], *edits[edit + 1 :])))

    def undo(self) -> Desk:
        return replace(self, history=self.history.undo(), gesture=None)

    def redo(self) -> Desk:
        return replace(self, history=self.history.redo(), gesture=None)

    def monitored(self, *, bypassed: Iterable[str] | None = None, soloed: Iterable[str] | None = None) -> Desk:
        """With other places bypassed or soloed. That is for the ear; undo leaves it alone."""
        bypass = self.bypassed if bypassed is None else frozenset(bypassed)
        return replace(self, bypassed=bypass, soloed=self.soloed if soloed is None else frozenset(soloed))

    def _is_heard(self, place: str) -> bool:
        return place not in self.bypassed and (not self.soloed or place in self.soloed)

    def _fader(self, part: str) -> int | None:
        """Which edit of the draft is the part's; the last one, if it was scaled more than once."""
        edits = enumerate(self.draft)
        return max((number for number, edit in edits if self._is_fader(edit, part)), default=None)

    def _is_fader(self, edit: Edit, part: str) -> bool:
        return isinstance(edit, Scale) and edit.tokens == EVERY and self.spec.name(edit.at) == part
