"""Reopening: a hybrid put on the lift, from memory or from its folder, with what must be in force there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...core.loader import embedded, tokenizer_at
from ...errors import InputError
from ...inject.recipe import Recipe
from ...registry.lift import Lifted, lift
from .hybrid import Hybrid
from .kept_edits import KeptEdits
from .wrapper_files import HOST, is_wrapper, read_wrapper


def reopened(source: Any, tokenizer: Any) -> tuple[Any, Any, Recipe]:
    """What is to be lifted, its tokenizer, and what must be in force with it; anything else as it was given."""
    if isinstance(source, Hybrid):
        return source.model, tokenizer or source.tokenizer, source.edits
    if not isinstance(source, str | Path) or str(source) in embedded():
        return source, tokenizer, Recipe()
    folder = Path(source).expanduser()
    edits = Recipe(KeptEdits.read(folder).stays)
    if is_wrapper(folder):
        return read_wrapper(folder), tokenizer or tokenizer_at(str(source), str(folder / HOST)), edits
    return source, tokenizer, edits


def relifted(against: Any) -> dict[str, Lifted]:
    """Models to hold beside another, by name: of a text with commas, a dict from name to model, or a single one.

    InputError for a hybrid with edits that are not in its weights: without them it is another model.
    """
    if isinstance(against, str):
        against = {name.strip(): name.strip() for name in against.split(",") if name.strip()}
    named = against if isinstance(against, dict) else {"donor": against}
    return {
        str(name): model if isinstance(model, Lifted) else _lifted(str(name), model) for name, model in named.items()
    }


def _lifted(name: str, source: Any) -> Lifted:
    model, tokenizer, edits = reopened(source, None)
    if len(edits):
        raise InputError(
            f"{name} has edits that are not in its weights: {edits}.", f"Load {name}, and judge it against the others."
        )
    return lift(model, tokenizer=tokenizer)
