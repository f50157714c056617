"""Recipe: edits in order, and History: the recipes one has been through. Both are values; a change is a new one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.sites import Write
from ..errors import EditError
from ..registry.specs import ModelSpec
from .edit import Edit
from .saving import load_edits, save_edits


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
        return [edit.tap(spec) for edit in self.edits]

    def save(self, path: str | Path) -> Path:
        """Write to a `.json` file, or into a folder; tensors beside it in safetensors. Returns the file.

        EditError for an edit that holds a module of your own, RecipeFileError where nothing can be written.
        """
        return save_edits(self.edits, path)

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """What `save` wrote. RecipeFileError for anything else."""
        return cls(load_edits(path))

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
