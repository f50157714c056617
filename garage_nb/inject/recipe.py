"""Recipe: edits in order, and History: the recipes one has been through. Both are values; a change is a new one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..core.sites import Write
from ..errors import EditError
from ..registry.part_spec import PartType
from ..registry.specs import ModelSpec
from .edits import Edit


@dataclass(frozen=True)
class Recipe:
    """Edits that act together; those at one place act in this order."""

    edits: tuple[Edit, ...] = ()

    def __add__(self, edit: Edit) -> Recipe:
        return Recipe((*self.edits, edit))

    def __len__(self) -> int:
        return len(self.edits)

    def __iter__(self) -> Iterator[Edit]:
        return iter(self.edits)

    def __str__(self) -> str:
        return "; ".join(map(str, self.edits)) or "nothing changed"

    def taps(self, spec: ModelSpec) -> Sequence[Write]:
        """What to attach for one pass.

        A place the model does not have is an UnknownPartError, one where an edit would do nothing an EditError.
        """
        return [_tap(edit, spec) for edit in self.edits]

    def places(self, spec: ModelSpec) -> tuple[str, ...]:
        """Catalogue names of what is changed, each once."""
        return tuple(dict.fromkeys(spec.name(edit.at) for edit in self.edits))


@dataclass(frozen=True)
class History:
    """The recipe in force, with what undo and redo would bring back."""

    now: Recipe = Recipe()
    past: tuple[Recipe, ...] = ()
    future: tuple[Recipe, ...] = ()

    def to(self, recipe: Recipe) -> History:
        return History(recipe, (*self.past, self.now))

    def undo(self) -> History:
        if not self.past:
            raise EditError("There is nothing to undo.", "Change something first, for example: scale layer_0 0.5")
        return replace(self, now=self.past[-1], past=self.past[:-1], future=(self.now, *self.future))

    def redo(self) -> History:
        if not self.future:
            raise EditError("There is nothing to redo.", "Redo brings back what undo just took away.")
        return replace(self, now=self.future[0], past=(*self.past, self.now), future=self.future[1:])


def _tap(edit: Edit, spec: ModelSpec) -> Write:
    name = spec.name(edit.at)
    if name in spec.parts and spec.parts[name].part_type is PartType.GATE:
        raise EditError(
            f"An edit at {name} would change nothing: the block takes the experts chosen inside, not these logits.",
            "Edit the ffn of the same layer.",
        )
    return Write(spec.site(name), edit.writer(), edit.at, edit.tokens, edit if edit.is_constant else None)
