"""Naming: short names on the sheet for the models of a recipe."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..ref import Ref


def donor_names(models: Iterable[str]) -> dict[str, str]:
    """Model -> name: the last piece of its path, made a word and told apart by a number where it must be."""
    names: dict[str, str] = {}
    for model in models:
        word = _word(model)
        taken = set(names.values())
        names[model] = next(name for name in _numbered(word) if name not in taken)
    return names


def _word(model: str) -> str:
    last = re.split(r"[/\\]", model.partition("@")[0].rstrip("/\\"))[-1]
    word = re.sub(r"[^\w.\-]+", "_", last).strip("_") or "model"
    return word if Ref.of(word).donor else f"model_{word}"  # a number, or "all", would be read as layers


def _numbered(word: str) -> Iterable[str]:
    yield word
    number = 2
    while True:
        yield f"{word}_{number}"
        number += 1
