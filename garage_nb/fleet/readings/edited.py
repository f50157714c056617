"""Edited: the edits that belong to a question, as a value that goes to other processes without a tensor in it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ...core.sealed import canonical, digest
from ...errors import EditError, EngineError, LedgerError, RecipeFileError
from ...inject.edit import Edit
from ...inject.kinds import edit_from
from ...inject.recipe import Recipe


@dataclass(frozen=True)
class Edited:
    """`edits` is the recipe as JSON, which names tensors by what is in them; `file` is where those are, empty without
    any. Two recipes that do the same are equal wherever their files lie.
    """

    edits: str = "[]"
    file: str = field(default="", compare=False)

    @classmethod
    def of(cls, recipe: Recipe, folder: str | Path) -> Edited:
        """Tensors are written to a file in `folder`, where every worker has to find them.

        EditError for an edit that holds a module of your own, LedgerError where nothing can be written.
        """
        try:
            said = _said(recipe)
        except EditError as error:
            raise EditError(error.what, "Workers are told edits in words: undo this one, and ask again.") from None
        if not any(edit.tensors() for edit in recipe):
            return cls(said)
        file = Path(folder).resolve() / f"edits-{digest(said.encode())[:16]}.json"
        try:
            return cls(said, str(recipe.save(file)))
        except RecipeFileError as error:
            raise LedgerError(error.what, error.hint) from None

    @property
    def number(self) -> int:
        """How many edits there are."""
        return len(json.loads(self.edits))

    @property
    def recipe(self) -> Recipe:
        """EngineError where the file is missing, damaged or of other edits."""
        return _recipe(self.edits, self.file)


@lru_cache(maxsize=4)
def _recipe(edits: str, file: str) -> Recipe:
    if not file:
        return Recipe(tuple(edit_from(data, {}) for data in json.loads(edits)))
    try:
        found = Recipe.load(file)
    except RecipeFileError as error:
        raise EngineError(f"A worker cannot read the edits: {error.what}", error.hint) from None
    if _said(found) != edits:
        raise EngineError(f"{file} holds other edits than were asked about.", "Ask again; they are written anew.")
    return found


def _said(edits: Iterable[Edit]) -> str:
    return canonical([edit.to_json() for edit in edits]).decode()
