"""How often a showroom model answers right: an item counts when greedy decoding gives every one of its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..analyze.judging.score import Score
from ..analyze.judging.sheets import Sheet, rows_of, sheets
from .item import Item

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Predict = Callable[[Tensor], Tensor]  # ids (batch, seq) -> predicted next ids (batch, seq)


def exercises(tokenizer: Tokenizer, items: Sequence[Item]) -> list[Sheet]:
    """Batches in the order of the items."""

    def encode(text: str, is_start: bool) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=is_start).ids)

    return sheets(rows_of(encode, [item.exercise for item in items]))


@torch.no_grad()
def score(predict: Predict, batches: Sequence[Sheet]) -> Score:
    right = torch.cat([batch.right(predict(batch.ids)) for batch in batches])
    return Score(right=int(right.sum()), n=len(right))


def greedy(model: nn.Module) -> Predict:
    def predict(ids: Tensor) -> Tensor:
        # No attention mask: the padding stands on the right, where no counted token looks.
        predicted: Tensor = model(ids, use_cache=False).logits.argmax(-1)
        return predicted

    return predict
