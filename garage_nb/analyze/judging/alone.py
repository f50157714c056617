"""Alone: what a model scores on texts and items by itself, beside no other."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.batch import Prompt
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ..texts.domains import Domains
from .exercise import Exercise
from .finding import Finding
from .findings import of_items, of_texts
from .lineup import Lineup
from .on_items import on_items
from .on_texts import on_texts
from .questions import questions


def alone(
    lifted: Lifted, recipe: Recipe, texts: Prompt | Domains, exercises: Sequence[Exercise], *, seed: int = 0
) -> tuple[Finding, ...]:
    """By domain, all of them first where there are several; as `judge` measures them, with the recipe in force."""
    line = Lineup({lifted.spec.model_id: lifted}, recipe)
    asked = questions(line, texts, list(exercises) or None)
    read = of_texts(line.names, on_texts(line, asked.domains, asked.texts, [True]), {}, seed)
    answered = of_items(line.names, on_items(line, asked.exercises, asked.rows)) if asked.exercises else ()
    return (*read, *answered)
