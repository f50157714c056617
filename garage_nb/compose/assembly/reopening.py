"""Reopening: a hybrid put on the lift, from memory or from a folder that plain transformers cannot open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...core.loader import tokenizer_at
from ...inject.recipe import Recipe
from .hybrid import Hybrid
from .wrapper_files import HOST, is_wrapper, read_wrapper


def reopened(source: Any, tokenizer: Any) -> tuple[Any, Any, Recipe]:
    """What is to be lifted, its tokenizer, and what must be in force with it; anything else as it was given."""
    if isinstance(source, Hybrid):
        return source.model, tokenizer or source.tokenizer, source.edits
    if isinstance(source, str | Path) and is_wrapper(Path(source).expanduser()):
        folder = Path(source).expanduser()
        return read_wrapper(folder), tokenizer or tokenizer_at(str(source), str(folder / HOST)), Recipe()
    return source, tokenizer, Recipe()
