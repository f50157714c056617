"""Unread: items that no text tells of which something was chosen by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...analyze.judging.exercise import Exercise, exercises_of
from ...analyze.judging.exercise_file import read_exercises
from ...analyze.judging.on_items import rows_for
from ...analyze.judging.questions import Given
from ...analyze.judging.sheets import Row
from ...errors import InputError
from ...registry.lift import Lifted
from .ground import Ground


def unread(exercises: Given, ground: Ground) -> list[Exercise]:
    """Those whose prompt begins none of the choosing and validation texts: whatever follows it there, and however it is
    spaced, it tells of what is asked. InputError where none is left.
    """
    asked = read_exercises(exercises) if isinstance(exercises, str | Path) else exercises_of(exercises)
    rows = rows_for(ground.lifted, asked)
    texts = [_said(ground.lifted, ids) for ids in ground.choosing.read | ground.validation.read]
    prompts = {row.number: _prompt(ground.lifted, row) for row in rows}
    left = [one for number, one in enumerate(asked) if not any(text.startswith(prompts[number]) for text in texts)]
    if not left:
        raise InputError("Every item is among the texts that something was chosen by.", "Give other items.")
    return left


def _prompt(lifted: Lifted, row: Row) -> str:
    """All of the text where nothing comes before the first answer."""
    return _said(lifted, row.tokens[: row.answers.index(True)]) or _said(lifted, row.tokens)


def _said(lifted: Lifted, ids: Sequence[int]) -> str:
    """What its tokenizer reads in them, with single spaces."""
    return " ".join(lifted.tokenizer.decode(list(ids), skip_special_tokens=True).split())
