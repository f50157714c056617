"""Unread: items that no text tells of which something was chosen by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unicodedata import category

from ...analyze.judging.exercise import Exercise, exercises_of
from ...analyze.judging.exercise_file import read_exercises
from ...analyze.judging.on_items import rows_for
from ...analyze.judging.questions import Given
from ...analyze.judging.sheets import Row
from ...errors import InputError
from ...plain import count
from ...registry.lift import Lifted
from .ground import Ground

_IN_WORDS = ("Lu", "Ll", "Nd")  # where letters have no case, two words may stand without a space


def unread(exercises: Given, ground: Ground) -> tuple[list[Exercise], list[str]]:
    """Those that none of the choosing and validation texts tells of, however it is spaced, and a note where some are
    left out. A text tells of an item when it begins with all of it, or with its prompt and then holds no more than
    another answer would. InputError where none is left.
    """
    asked = read_exercises(exercises) if isinstance(exercises, str | Path) else exercises_of(exercises)
    rows = rows_for(ground.lifted, asked)
    texts = [_said(ground.lifted, ids) for ids in ground.choosing.read | ground.validation.read]
    told = {row.number for row in rows if _is_told(ground.lifted, row, texts)}
    left = [one for number, one in enumerate(asked) if number not in told]
    if not left:
        raise InputError("Every item is among the texts that something was chosen by.", "Give other items.")
    said = f"{len(told):,} of {count(len(asked), 'item')} not asked: among the texts that something was chosen by."
    return left, [said] if told else []


def _is_told(lifted: Lifted, row: Row, texts: Sequence[str]) -> bool:
    """What follows the prompt and is longer than the item is no answer. Where nothing comes before the first answer,
    the prompt is all of it.
    """
    whole = _said(lifted, row.tokens)
    prompt = _said(lifted, row.tokens[: row.answers.index(True)]) or whole
    longest = len(prompt) + len(whole)
    return any(_begins(text, whole) or (len(text) <= longest and _begins(text, prompt)) for text in texts)


def _begins(text: str, start: str) -> bool:
    """Not so in the middle of a word or a number."""
    seam = f"{text} "[len(start) - 1 : len(start) + 1]
    return text.startswith(start) and not all(category(sign) in _IN_WORDS for sign in seam)


def _said(lifted: Lifted, ids: Sequence[int]) -> str:
    """What its tokenizer reads in them, with single spaces."""
    return " ".join(lifted.tokenizer.decode(list(ids), skip_special_tokens=True).split())
