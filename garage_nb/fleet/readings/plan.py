"""Plan: all that a corpus is asked, as a value; and its answer over one chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from ...core.batch import Batch, batch_of, prepare
from ...core.run import read
from ...errors import HookError
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ..corpus.text import Text
from .edited import Edited
from .kinds import Count
from .reading import Passage, Reading
from .record import Record, merged

UNEDITED = Edited()


COUNTED = ("texts", "tokens")  # beside what readings leave


@dataclass(frozen=True)
class Plan:
    """Readings of one pass with `edited` in force. Beside what they leave there is `texts`, Count (), and `tokens`."""

    readings: tuple[Reading, ...]
    edited: Edited = UNEDITED

    def to_json(self) -> dict[str, Any]:
        """All that the answer depends on, beside the model and the texts."""
        return {"readings": [one.to_json() for one in self.readings], "edits": self.edited.edits}

    def read(self, lifted: Lifted, texts: Sequence[Text]) -> Record:
        """Of texts side by side; one by one where a place does not tell them apart."""
        whole, edits = tuple(texts), self.edited.recipe
        try:
            return self.over(lifted, batch_with(whole, lifted), whole, edits)
        except HookError:
            if len(whole) == 1:
                raise
        return reduce(merged, (self.over(lifted, batch_with((one,), lifted), (one,), edits) for one in whole))

    def over(self, lifted: Lifted, batch: Batch, texts: tuple[Text, ...], edits: Recipe) -> Record:
        """Of a batch of the texts, in one pass for all readings that look into it."""
        passage = Passage(lifted, batch, texts, edits)
        finish = [one.begin(passage) for one in self.readings]
        if passage.reads:
            read(lifted.model, batch, [*edits.taps(lifted.spec), *passage.reads])
        counted = {"texts": Count.of(len(texts)), "tokens": Count.of(sum(passage.lengths))}
        return {**counted, **{name: kind for each in finish for name, kind in each().items()}}


def batch_with(texts: Sequence[Text], lifted: Lifted) -> Batch:
    """Padded on the right. InputError for ids that the model does not have, and for more than it takes."""
    padded = batch_of([text.ids for text in texts])
    return prepare(padded.inputs(), lifted.model)
