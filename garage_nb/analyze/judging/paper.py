"""Paper: texts and items as sheets in one model's tokens, on which any number of variants of it are marked alike.

Many texts are read at a time, padded on the right, so that a study of dozens of variants takes a few passes each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.batch import Prompt
from ...core.run import logits
from ...core.sites import Tap
from ...core.vocabulary import vocab_size
from ...errors import NotFiniteError, UnsupportedModelError
from ...inject.recipe import Recipe
from ...plain import count
from ...registry.lift import Lifted
from ..texts.domains import Domains
from ..texts.prompt import read_ids
from ..texts.token_loss import Item
from .answer_losses import answer_losses
from .lineup import Lineup
from .questions import Given, questions
from .sheets import Row, Sheet, sheets_by_length

Taps = Callable[[], Iterable[Tap]]  # fresh ones for every pass, for an edit may count its draws


@dataclass(frozen=True, eq=False)
class Marks:
    """What one variant got: `losses` summed over the tokens of a text, −log p in nats; `right`, 1 or 0 an item."""

    losses: Float[Tensor, " texts"]
    right: Float[Tensor, " items"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Paper:
    """`domains` of each text, with how many `tokens` of it are predicted, and `asked`, the domains of each item."""

    domains: tuple[str, ...]
    tokens: Float[Tensor, " texts"]
    asked: tuple[str, ...]
    texts: Sequence[Sheet]
    items: Sequence[Sheet]

    def marks(self, model: Any, taps: Taps = tuple) -> Marks:
        """Of a model that reads the paper's tokens, with `taps` in force. NotFiniteError for NaN and infinity."""
        losses = torch.zeros(len(self.domains), dtype=torch.float64)
        right = torch.zeros(len(self.asked), dtype=torch.bool)
        for sheet in self.texts:
            losses[sheet.numbers] = answer_losses(_answered(model, sheet, taps), sheet)
        for sheet in self.items:
            likeliest = _answered(model, sheet, taps).argmax(-1).cpu()
            right[sheet.numbers[sheet.right(likeliest)]] = True
        return Marks(losses, right.double())

    @cached_property
    def read(self) -> frozenset[tuple[int, ...]]:
        """The texts, as token ids."""
        rows = ((ids, mask) for sheet in self.texts for ids, mask in zip(sheet.ids, sheet.mask.bool(), strict=True))
        return frozenset(tuple(ids[mask].tolist()) for ids, mask in rows)

    @property
    def counted(self) -> str:
        texts = f"{count(len(self.domains), 'text')} of {count(int(self.tokens.sum()), 'token')}"
        items = count(len(self.asked), "item")
        return ", ".join([*([texts] if self.domains else []), *([items] if self.asked else [])])


def paper(lifted: Lifted, texts: Prompt | Domains | None, exercises: Given | None = None) -> Paper:
    """Equal texts and items once. InputError where there are none; UnsupportedModelError for a model that predicts no
    next token, or reads a text apart from what it writes.
    """
    asked = questions(Lineup({lifted.spec.model_id: lifted}, Recipe()), texts, exercises)
    rows, numbers = [_row(number, item) for number, item in enumerate(asked.texts[0])], vocab_size(lifted.model)
    return Paper(
        domains=tuple(asked.domains),
        tokens=torch.tensor([sum(row.answers) for row in rows], dtype=torch.float64),
        asked=tuple(one.domain for one in asked.exercises),
        texts=sheets_by_length(rows, numbers),
        items=sheets_by_length(asked.rows[0], numbers),
    )


def _row(number: int, item: Item) -> Row:
    if item.batch.decoder_input_ids is not None:
        raise UnsupportedModelError("It reads a text apart from what it writes.", "Mark a decoder by texts.")
    return Row(number, tuple(read_ids(item.batch).tolist()), (False, *item.counted.tolist()))


def _answered(model: Any, sheet: Sheet, taps: Taps) -> Float[Tensor, "rows seq vocab"]:
    """NaN would look like any other number to what is the likeliest."""
    found = logits(model, sheet.batch(model), taps())
    if bool(found.isnan().any()):
        raise NotFiniteError("The logits hold NaN.", "Take the last edit back, or load in float32.")
    return found
