"""Losses: how surprised the model is by each next token, untouched and with one part after the other scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...analyze.lens.predictions import CHUNK
from ...core.next_token import demand_predicts
from ...core.run import logits
from ...core.stats import wide
from ...inject.edits import Scale
from ...inject.place import place_of
from .kinds import Count, Tally
from .reading import Finish, Passage, Reading
from .record import Record


@dataclass(frozen=True)
class Losses(Reading):
    """−log p in nats of each next token whose id is not `special`. Every part is scaled by every factor, by itself and
    behind the edits in force. They leave

    ===================== =========================================================================================
    loss                  Tally () over tokens, of the model under the edits in force alone
    loss PART x FACTOR    the same of a variant
    change PART x FACTOR  Tally () over texts, of the variant's mean loss less that of the same text without it
    not finite            Count () of tokens whose loss is NaN or infinite in any of them; they are left out of all
    ===================== =========================================================================================
    """

    parts: tuple[str, ...]
    factors: tuple[float, ...]
    special: tuple[int, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[str], factors: Sequence[float], tokenizer: Any) -> Losses:
        """What the tokenizer calls special is not counted where it would have to be predicted."""
        special = tuple(sorted(getattr(tokenizer, "all_special_ids", ())))
        return cls(tuple(parts), tuple(factors), special)

    @property
    def variants(self) -> dict[str, Scale]:
        each = product(self.parts, self.factors)
        return {f"{part} x {factor!r}".removesuffix(".0"): Scale(part, factor) for part, factor in each}

    def begin(self, passage: Passage) -> Finish:
        demand_predicts(passage.lifted.model)
        return partial(self._finish, passage)

    def _finish(self, passage: Passage) -> Record:
        targets = Targets.of(passage, self.special)
        losses = torch.stack([targets.losses(one) for one in self._answers(passage)])
        fine = losses.isfinite().all(0)
        told = torch.where(fine, losses, torch.nan)
        means = targets.by_text(torch.where(fine, losses, 0)) / targets.by_text(fine.double()[None])
        found: dict[str, Count | Tally] = {
            "loss": Tally.of(told[0]), "not finite": Count.of((~fine).sum())
        }  # fmt: skip
        for row, name in enumerate(self.variants, start=1):
            found |= {f"loss {name}": Tally.of(told[row]), f"change {name}": Tally.of(means[row] - means[0])}
        return found

    def _answers(self, passage: Passage) -> Any:
        """Logits one after the other: under the edits alone, then of each variant, which goes on from what the first
        pass kept of the blocks before it.
        """
        spec, edits = passage.lifted.spec, passage.edits
        chain = spec.chain
        towards = chain.towards(place_of(spec, part).site for part in self.parts)
        yield logits(passage.lifted.model, passage.batch, edits.taps(spec), chain=towards)
        for edit in self.variants.values():
            yield logits(passage.lifted.model, passage.batch, (edits + edit).taps(spec), chain=chain)


@dataclass(frozen=True, eq=False)
class Targets:
    """The tokens to be predicted: their ids, from where among (batch · seq) they are, and of which of `texts` texts."""

    ids: Int[Tensor, " targets"]
    at: Int[Tensor, " targets"]
    text: Int[Tensor, " targets"]
    texts: int

    @classmethod
    def of(cls, passage: Passage, special: Sequence[int]) -> Targets:
        batch = passage.batch
        ids = batch.input_ids if batch.decoder_input_ids is None else batch.decoder_input_ids
        mask = batch.attention_mask.bool() if batch.decoder_input_ids is None else torch.ones_like(ids).bool()
        counted = mask[:, 1:] & mask[:, :-1] & ~torch.isin(ids[:, 1:], ids.new_tensor(special))
        text, before = counted.nonzero(as_tuple=True)
        return cls(ids[text, before + 1], text * ids.shape[1] + before, text.cpu(), len(ids))

    def losses(self, logits: Float[Tensor, "batch seq vocab"]) -> Float[Tensor, " targets"]:
        """On the host, in double precision. In pieces: that of a large vocabulary takes room."""
        rows = logits.flatten(0, 1)
        size = max(1, CHUNK // (rows.shape[-1] * 8))
        pieces = zip(self.at.split(size), self.ids.split(size), strict=True)
        return torch.cat([_surprises(rows[at.to(rows.device)], ids.to(rows.device)) for at, ids in pieces])

    def by_text(self, values: Float[Tensor, "rows targets"]) -> Float[Tensor, "rows texts"]:
        """Summed over each text's tokens."""
        return values.new_zeros(len(values), self.texts).index_add(1, self.text, values)


def _surprises(logits: Float[Tensor, "targets vocab"], ids: Int[Tensor, " targets"]) -> Float[Tensor, " targets"]:
    exact = logits.to(wide(logits.device))
    return torch.nn.functional.cross_entropy(exact, ids, reduction="none").cpu().double()
