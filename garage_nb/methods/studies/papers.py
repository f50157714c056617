"""Papers: items as batches, read once, and what a way of answering makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...analyze.judging.answer_losses import answer_losses
from ...analyze.judging.exercise import Exercise
from ...analyze.judging.on_items import rows_for
from ...analyze.judging.sheets import Sheet, sheets_by_length, solved
from ...core.batch import Batch
from ...core.vocabulary import vocab_size
from ...registry.lift import Lifted
from ..outcomes import Marks

Answering = Callable[[Batch], Float[Tensor, "rows seq vocab"]]
Reading = Callable[[Batch], Float[Tensor, " rows"]]  # something else that an arm shows of each row
NO_READINGS: Mapping[str, Reading] = {}


@dataclass(frozen=True, eq=False)
class Papers:
    """`count` exercises on sheets, those of like length side by side, and each sheet as a batch, with as many rows as
    have room for their logits.
    """

    count: int
    sheets: Sequence[Sheet]
    batches: Sequence[Batch]

    @classmethod
    def of(cls, reader: Lifted, exercises: Sequence[Exercise]) -> Papers:
        """As the reader's tokenizer cuts them. Errors as of `rows_for`."""
        made = sheets_by_length(rows_for(reader, exercises), vocab_size(reader.model))
        return cls(len(exercises), made, [sheet.batch(reader.model) for sheet in made])

    def marked(self, answering: Answering, readings: Mapping[str, Reading] = NO_READINGS) -> Marks:
        """Right as `judge` has it; the log-probability is that of the likeliest way, over all tokens of its answers.

        A reading is the mean over the ways of an item.
        """
        right, spent = [], []
        for sheet, batch in zip(self.sheets, self.batches, strict=True):
            answered = answering(batch)
            right.append(sheet.right(answered.argmax(-1).cpu()))
            spent.append(answer_losses(answered, sheet))
        least = torch.full((self.count,), torch.inf, dtype=torch.float64)
        least.scatter_reduce_(0, self._numbers, torch.cat(spent), "amin")
        told = {name: self._told(one) for name, one in readings.items()}
        return Marks(right=solved(right, self.sheets, self.count), log_probs=-least, readings=told)

    def _told(self, reading: Reading) -> Float[Tensor, " items"]:
        rows = torch.cat([reading(batch).cpu().double() for batch in self.batches])
        sums = torch.zeros(self.count, dtype=torch.float64).index_add_(0, self._numbers, rows)
        return sums / self._numbers.bincount(minlength=self.count)

    @property
    def _numbers(self) -> Int[Tensor, " rows"]:
        """Which item each row asks."""
        return torch.cat([sheet.numbers for sheet in self.sheets])
