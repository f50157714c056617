"""Token loss: how surprised a model is by each next token of a text, −log p in nats, as transformers' own loss has it.

A token that the tokenizer calls special is not counted where it would have to be predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...core.batch import Batch
from ...core.next_token import demand_predicts
from ...core.stats import wide
from ...errors import InputError, NotFiniteError, UnsupportedModelError
from ...registry.lift import Lifted
from ..lens.predictions import CHUNK
from .prompt import read_ids


@dataclass(frozen=True, eq=False)
class Item:
    """A text to be predicted: from token `i` the one behind it, where that is `counted`."""

    batch: Batch
    counted: Bool[Tensor, " next"]

    @property
    def tokens(self) -> int:
        return int(self.counted.sum())

    @cached_property
    def targets(self) -> Int[Tensor, " counted"]:
        return read_ids(self.batch)[1:][self.counted]

    def losses(self, logits: Float[Tensor, "rows seq vocab"]) -> Float[Tensor, " rows"]:
        """Summed over the counted tokens, in float64 on the host. NotFiniteError for NaN and infinity."""
        if logits.ndim != 3 or logits.shape[1] != len(self.counted) + 1:
            raise UnsupportedModelError(
                f"The model answers {len(self.counted) + 1} tokens with {tuple(logits.shape)}, not one row a token.",
                "Only predictions of each next token have such a loss.",
            )
        found = torch.stack([_surprise(row[:-1][self.counted], self.targets) for row in logits])
        if not bool(found.isfinite().all()):
            raise NotFiniteError("The logits hold NaN or infinity.", "Take the last edit back, or load in float32.")
        return found


def _surprise(logits: Float[Tensor, "tokens vocab"], targets: Int[Tensor, " tokens"]) -> Tensor:
    """In pieces: double precision of a large vocabulary takes room."""
    size = max(1, CHUNK // (logits.shape[-1] * 8))
    total = torch.zeros((), dtype=torch.float64)
    for piece, ids in zip(logits.split(size), targets.split(size), strict=True):
        total += torch.nn.functional.cross_entropy(piece.to(wide(logits.device)), ids, reduction="sum").cpu().double()
    return total


def items(lifted: Lifted, texts: Sequence[Batch]) -> list[Item]:
    """InputError for a text in which nothing is to be predicted, UnsupportedModelError for a model that does not."""
    demand_predicts(lifted.model)
    special = torch.tensor(sorted(getattr(lifted.tokenizer, "all_special_ids", ())), dtype=torch.long)
    found = []
    for text in texts:
        following = read_ids(text)[1:]
        item = Item(text, ~torch.isin(following, special.to(following.device)))
        if not item.tokens:
            raise InputError(
                f"There is nothing to predict in a prompt of {len(following) + 1} tokens, special ones not counted.",
                "Give texts of two tokens or more"
                + ("." if text.decoder_input_ids is None else ", and what was written as decoder_input_ids."),
            )
        found.append(item)
    return found
