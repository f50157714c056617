"""Sheets: exercises as token ids, and which of them a model's predictions answer right.

An exercise is right when greedy decoding writes one of its ways, answer by answer, each from the text that is right up
to there. One pass over a whole text tells: every token of an answer must be the likeliest after those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ...core.batch import Batch, batch_of, prepare
from .exercise import Exercise

ROWS = 50  # of a sheet at most
ROOM = 1 << 26  # bytes of what one pass leaves
Encode = Callable[[str, bool], list[int]]  # a text, and whether it stands at the start


@dataclass(frozen=True)
class Row:
    """One way of exercise `number`; `answers` marks the tokens that count."""

    number: int
    tokens: tuple[int, ...]
    answers: tuple[bool, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sheet:
    """Rows side by side, padded on the right with id 0, which the mask hides."""

    ids: Int[Tensor, "rows seq"]
    mask: Int[Tensor, "rows seq"]
    answers: Bool[Tensor, "rows seq"]
    numbers: Int[Tensor, " rows"]

    def right(self, predicted: Int[Tensor, "rows seq"]) -> Bool[Tensor, " rows"]:
        """`predicted` stands one place before what it predicts. A wrong token cannot be made up for."""
        correct = predicted[:, :-1] == self.ids[:, 1:]
        return (correct | ~self.answers[:, 1:]).all(-1)

    def batch(self, model: Any) -> Batch:
        return prepare({"input_ids": self.ids, "attention_mask": self.mask}, model)


def rows_of(encode: Encode, exercises: Sequence[Exercise]) -> list[Row]:
    return [_row(encode, number, way) for number, one in enumerate(exercises) for way in one.ways]


def sheets(rows: Sequence[Row], size: int = ROWS) -> list[Sheet]:
    """In the order of the rows."""
    return [_sheet(rows[place : place + size]) for place in range(0, len(rows), size)]


def sheets_by_length(rows: Sequence[Row], numbers: int) -> list[Sheet]:
    """Those of like length side by side, which leaves little padding, and as many as `rows_in_room` says."""
    return sheets(sorted(rows, key=lambda row: len(row.tokens)), rows_in_room(rows, numbers))


def rows_in_room(rows: Sequence[Row], numbers: int) -> int:
    """How many a sheet may have when a pass leaves so many numbers of four bytes a token: the logits, and what else."""
    longest = max((len(row.tokens) for row in rows), default=1)
    return max(1, min(ROWS, ROOM // (longest * numbers * 4)))


def solved(right: Sequence[Bool[Tensor, " rows"]], asked: Sequence[Sheet], count: int) -> Bool[Tensor, " exercises"]:
    """Which of `count` exercises are answered in one of their ways."""
    numbers = torch.cat([sheet.numbers for sheet in asked])
    found = torch.zeros(count, dtype=torch.bool)
    found[numbers[torch.cat([one.cpu() for one in right])]] = True
    return found


def _sheet(rows: Sequence[Row]) -> Sheet:
    read, answers = batch_of([row.tokens for row in rows]), batch_of([row.answers for row in rows]).input_ids.bool()
    numbers = torch.tensor([row.number for row in rows])
    return Sheet(ids=read.input_ids, mask=read.attention_mask, answers=answers, numbers=numbers)


def _row(encode: Encode, number: int, way: tuple[str, ...]) -> Row:
    tokens: list[int] = []
    answers: list[bool] = []
    for place in range(len(way)):
        new = _behind(encode, tokens, way, place)
        tokens += new
        answers += [place % 2 == 1] * len(new)
    return Row(number, tuple(tokens), tuple(answers))


def _behind(encode: Encode, tokens: list[int], way: tuple[str, ...], place: int) -> list[int]:
    """The tokens of one part, as they come when the whole text is read, if those before it stay what they are."""
    whole = encode("".join(way[: place + 1]), True)
    return whole[len(tokens) :] if whole[: len(tokens)] == tokens else encode(way[place], False)
