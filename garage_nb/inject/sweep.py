"""Sweep: many recipes on one prompt. They run as rows of a batch, over the blocks that none of them changes once.

How many rows fit into a pass is worked out from a budget, and halved when the device runs out of memory all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..core.batch import Batch
from ..core.kept import same
from ..core.rows import by_rows
from ..core.run import logits
from ..core.sites import Site, Write
from ..core.tokens import EVERY, TokensByRow
from ..errors import InputError
from ..registry.specs import ModelSpec
from .recipe import Recipe

BUDGET = 1 << 29  # bytes of activations that one pass may hold at a time
_ALIVE = 12  # tensors of a block's widest place that are there at once, in the models measured


def swept(
    model: nn.Module, spec: ModelSpec, batch: Batch, recipes: Sequence[Recipe], *, budget: int = BUDGET
) -> Iterator[Float[Tensor, "rows vocab"]]:
    """Logits of the last token under each recipe, as many at a time as one pass holds, in their order.

    `batch` is one prompt. The caller counts what has come, and stops by asking for no more.
    """
    if batch.input_ids.shape[0] != 1:
        raise InputError("A sweep runs one prompt.", "Give a single text, or sweep one text after the other.")
    rows, done = _rows_in(budget, model, spec, batch), 0
    while done < len(recipes):
        some = recipes[done : done + rows]
        try:
            taps, alone = side_by_side(some, spec), some[0].taps(spec)
            found = logits(model, batch, taps, last=1, chain=spec.chain, rows=len(some), alone=alone)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if rows == 1 or not _is_out_of_memory(error):
                raise
            rows = max(1, len(some) // 2)
            continue
        done += len(some)
        yield found[:, -1]


def side_by_side(recipes: Sequence[Recipe], spec: ModelSpec) -> list[Write]:
    """The recipes' writes as writes to rows. Each row's own edits act in the order of its recipe."""
    taps = [recipe.taps(spec) for recipe in recipes]
    if len(taps) == 1:
        return list(taps[0])
    return [write for step in zip_longest(*taps) for write in _at_each_site(step)]


def _at_each_site(step: Sequence[Write | None]) -> Iterator[Write]:
    for site in dict.fromkeys(write.site for write in step if write is not None):
        yield _joined(site, [write if write is not None and write.site == site else None for write in step])


def _joined(site: Site, writes: Sequence[Write | None]) -> Write:
    fns = [None if write is None else write.fn for write in writes]
    there = [write for write in writes if write is not None]
    first = there[0]
    alike = len(there) == len(writes) and all(same(write.by, first.by) for write in there)
    choices = {write.tokens for write in there}
    tokens = choices.pop() if len(choices) == 1 else TokensByRow(tuple(_tokens(write) for write in writes))
    return Write(site, by_rows(fns), first.said, tokens, first.by if alike else None)


def _tokens(write: Write | None) -> Any:
    return EVERY if write is None else write.tokens


def _rows_in(budget: int, model: nn.Module, spec: ModelSpec, batch: Batch) -> int:
    seq = batch.input_ids.shape[1]
    inside = [part.intermediate_dim or 0 for part in spec.parts.values()]
    widest = max([spec.hidden_dim, *inside, spec.num_heads * seq])
    size = next(model.parameters()).element_size()
    return max(1, budget // (seq * widest * size * _ALIVE + spec.vocab_size * size))


def _is_out_of_memory(error: Exception) -> bool:
    """torch raises a plain RuntimeError where the processor's memory ends."""
    return not isinstance(error, RuntimeError) or "memory" in str(error).lower()
