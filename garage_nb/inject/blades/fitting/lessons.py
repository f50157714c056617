"""Lessons: texts with the tokens that are to be learned, the answers after their prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor

from ....core.batch import Batch, batch_of, prepare
from ....core.next_token import demand_predicts
from ....errors import EditError
from ....registry.lift import Lifted


@dataclass(frozen=True)
class Lessons:
    """`answers` stand behind `prompts`, one each: `Lessons(("2 + 2 =",), (" 4",))`. Without answers, all but the first
    token of every prompt is learned.
    """

    prompts: tuple[str, ...]
    answers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.prompts or (self.answers and len(self.answers) != len(self.prompts)):
            raise EditError(
                f"{len(self.answers)} answers to {len(self.prompts)} prompts are no lessons.",
                "Give some prompts, and an answer to each or none at all.",
            )

    @property
    def texts(self) -> list[str]:
        answers = self.answers or ("",) * len(self.prompts)
        return [prompt + answer for prompt, answer in zip(self.prompts, answers, strict=True)]


@dataclass(frozen=True, eq=False)
class Lesson:
    """One text: `ids` (seq,), and which of them are predicted from those before, `wanted` (seq,)."""

    ids: Tensor
    wanted: Tensor


def lessons_of(lessons: Lessons, lifted: Lifted) -> list[Lesson]:
    """In tokens, on the host. EditError for an answer that adds none, UnsupportedModelError for a model that predicts
    no next token.
    """
    demand_predicts(lifted.model)
    starts = lessons.prompts if lessons.answers else ("",) * len(lessons.prompts)
    return [_lesson(start, text, lifted) for start, text in zip(starts, lessons.texts, strict=True)]


def _lesson(start: str, text: str, lifted: Lifted) -> Lesson:
    ids = _ids(text, lifted)
    known = max(1, _in_common(_ids(start, lifted), ids)) if start else 1
    wanted = torch.arange(len(ids)) >= known
    if not bool(wanted.any()):
        raise EditError(f"There is nothing to learn in {text!r}.", "Give an answer of a token at least.")
    return Lesson(ids, wanted)


def _in_common(a: Tensor, b: Tensor) -> int:
    pairs: Any = zip(a.tolist(), b.tolist(), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _ids(text: str, lifted: Lifted) -> Tensor:
    return prepare(text, lifted.model, lifted.tokenizer).input_ids[0].cpu()


def together(chosen: Sequence[Lesson], model: Any) -> tuple[Batch, Tensor]:
    """As the model reads them side by side, and what is wanted (batch, seq)."""
    read, wanted = batch_of([one.ids.tolist() for one in chosen]), batch_of([one.wanted.tolist() for one in chosen])
    return prepare(read.inputs(), model), wanted.input_ids.bool()
