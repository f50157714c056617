"""What a survey of a chunk costs beside the batched forward of the same texts that one would write by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from garage_nb.fleet.corpus.text import Text
from garage_nb.fleet.cutting import ROWS
from garage_nb.fleet.readings.plan import Plan, batch_with
from garage_nb.fleet.readings.record import to_bytes
from garage_nb.fleet.readings.statistics import Statistics
from garage_nb.registry.lift import lift

from .side_by_side import Ratio, compare

SHORTEST, LONGEST, TARGET = 20, 60, 1 / 0.9


def measured(name: str, model: Any) -> Iterator[Ratio]:
    """The question that is asked when none is named: sparsity and norm of every token at every layer."""
    lifted, texts = lift(model), _texts(model.config.vocab_size)
    plan = Plan((Statistics(tuple(lifted.spec.select("all")), ("sparsity", "norm")),))
    given = batch_with(texts, lifted).inputs()

    @torch.inference_mode()
    def by_hand() -> Any:
        return model(**given, use_cache=False).logits

    @torch.inference_mode()
    def without_head() -> Any:
        return model.base_model(**given, use_cache=False)

    def survey() -> bytes:
        return to_bytes(plan.read(lifted, texts))

    yield compare(f"{name}: survey of {ROWS} texts / by hand", by_hand, survey, pairs=7, target=TARGET)
    yield compare(f"{name}: the same / by hand without the head", without_head, survey, pairs=7)


def _texts(vocab: int) -> tuple[Text, ...]:
    generator = torch.Generator().manual_seed(0)
    lengths = sorted(torch.randint(SHORTEST, LONGEST + 1, (ROWS,), generator=generator).tolist())
    rows = [torch.randint(0, vocab, (length,), generator=generator).tolist() for length in lengths]
    return tuple(Text(f"line {number}", tuple(row)) for number, row in enumerate(rows))
