"""How often a showroom model answers right: an item counts when greedy decoding gives every one of its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .item import Item

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BATCH = 50
Predict = Callable[[Tensor], Tensor]  # ids (batch, seq) -> predicted next ids (batch, seq)


@dataclass(frozen=True, kw_only=True)
class Score:
    """`right` of `n` items."""

    right: int
    n: int

    @property
    def accuracy(self) -> float:
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval."""
        z, share = 1.96, self.accuracy
        centre = share + z * z / (2 * self.n)
        reach = z * sqrt(share * (1 - share) / self.n + z * z / (4 * self.n * self.n))
        scale = 1 + z * z / self.n
        return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)

    def to_json(self) -> dict[str, Any]:
        low, high = self.interval
        return {"accuracy": round(self.accuracy, 4), "n": self.n, "low": round(low, 4), "high": round(high, 4)}


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """Items as token ids, padded on the right: BOS first, `answers` marks the tokens that count."""

    ids: Tensor  # (batch, seq)
    answers: Tensor  # (batch, seq)


def exercises(tokenizer: Tokenizer, items: Sequence[Item]) -> list[Exercise]:
    """Batches in the order of the items."""
    return [_exercise(tokenizer, items[place : place + BATCH]) for place in range(0, len(items), BATCH)]


@torch.no_grad()
def score(predict: Predict, batches: Sequence[Exercise]) -> Score:
    right = torch.cat([_right(predict(batch.ids), batch) for batch in batches])
    return Score(right=int(right.sum()), n=len(right))


def greedy(model: nn.Module) -> Predict:
    def predict(ids: Tensor) -> Tensor:
        # No attention mask: the padding stands on the right, where no counted token looks.
        predicted: Tensor = model(ids, use_cache=False).logits.argmax(-1)
        return predicted

    return predict


def _right(predicted: Tensor, batch: Exercise) -> Tensor:
    """(batch,) True where all answers are. Teacher forcing: a wrong token cannot be made up for, nor hurt others."""
    correct = predicted[:, :-1] == batch.ids[:, 1:]
    return (correct | ~batch.answers[:, 1:]).all(-1)


def _exercise(tokenizer: Tokenizer, items: Sequence[Item]) -> Exercise:
    rows = [_row(tokenizer, item) for item in items]
    width = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    answers = torch.zeros(len(rows), width, dtype=torch.bool)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor([token for token, _ in row])
        answers[place, : len(row)] = torch.tensor([counts for _, counts in row])
    return Exercise(ids=ids, answers=answers)


def _row(tokenizer: Tokenizer, item: Item) -> list[tuple[int, bool]]:
    """(token, whether it is an answer's), BOS first: the first part is encoded with its template."""
    row: list[tuple[int, bool]] = []
    for place, part in enumerate(item.parts):
        row += [(token, place % 2 == 1) for token in tokenizer.encode(part, add_special_tokens=place == 0).ids]
    return row
