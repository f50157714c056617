"""Sweep: many recipes on one prompt. They run as rows of a batch, over the blocks that none of them changes once.

How many rows fit into a pass is worked out from a budget, and halved when the device runs out of memory all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..core.batch import Batch
from ..core.kept import same
from ..core.rows import by_rows, within
from ..core.run import logits
from ..core.sites import Read, Site, Tap, Write, Writer
from ..core.standing import Standing
from ..core.tokens import EVERY, TokensByRow
from ..core.units import Columns
from ..errors import InputError
from ..registry.specs import ModelSpec
from .recipe import Recipe

BUDGET = 1 << 29  # bytes of activations that one pass may hold at a time
_ALIVE = 12  # tensors of a block's widest place that are there at once, in the models measured


def swept(
    model: nn.Module, spec: ModelSpec, batch: Batch, recipes: Sequence[Recipe], *, budget: int = BUDGET
) -> Iterator[Float[Tensor, "rows vocab"]]:
    """Logits of the last token under each recipe, as many at a time as one pass holds, in their order."""
    return (found[:, -1] for found in swept_over(model, spec, batch, recipes, last=1, budget=budget))


def swept_over(
    model: nn.Module,
    spec: ModelSpec,
    batch: Batch,
    recipes: Sequence[Recipe],
    *,
    last: int = 0,
    reads: Sequence[Read] = (),
    budget: int = BUDGET,
) -> Iterator[Float[Tensor, "rows seq vocab"]]:
    """The same for the `last` tokens, for all where that is 0. `reads` are made behind the edits, of all rows.

    `batch` is one prompt. The caller counts what has come, and stops by asking for no more.
    """
    if batch.input_ids.shape[0] != 1:
        raise InputError("A sweep runs one prompt.", "Give a single text, or sweep one text after the other.")
    rows, done = _rows_in(budget, model, spec, batch, last), 0
    while done < len(recipes):
        some = recipes[done : done + rows]
        try:
            taps, alone = side_by_side(some, spec), some[0].taps(spec)
            wanted: list[Tap] = [*taps, *reads]
            found = logits(model, batch, wanted, last=last, chain=spec.chain, rows=len(some), alone=alone)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if rows == 1 or not _is_out_of_memory(error):
                raise
            rows = max(1, len(some) // 2)
            continue
        done += len(some)
        yield found


def side_by_side(recipes: Sequence[Recipe], spec: ModelSpec) -> list[Write]:
    """The recipes' writes as writes to rows. Each row's own edits act in the order of its recipe."""
    taps = [recipe.taps(spec) for recipe in recipes]
    if len(taps) == 1:
        return list(taps[0])
    return [write for step in zip_longest(*taps) for write in _at_each_site(step)]


def _at_each_site(step: Sequence[Write | None]) -> Iterator[Write]:
    by_site: dict[Site, list[Write | None]] = {}
    for row, write in enumerate(step):
        if write is not None:
            by_site.setdefault(_whole(write.site), [None] * len(step))[row] = write
    return (_joined(site, writes) for site, writes in by_site.items())


def _whole(site: Site) -> Site:
    """Heads or neurons of one place are written together: each write there copies what passes, for all rows."""
    return replace(site, unit=None) if isinstance(site.unit, Columns) else site


def _joined(site: Site, writes: Sequence[Write | None]) -> Write:
    there = [write for write in writes if write is not None]
    first = there[0]
    alike = len(there) == len(writes) and all(same(write.by, first.by) for write in there)
    choices = {write.tokens for write in there}
    tokens = choices.pop() if len(choices) == 1 else TokensByRow(tuple(_tokens(write) for write in writes))
    if all(write.site == first.site for write in there):
        fns = [None if write is None else write.fn for write in writes]
        return Write(first.site, by_rows(fns), first.said, tokens, first.by if alike else None, _told(there))
    fns = [None if write is None else _within(write) for write in writes]
    return Write(site, by_rows(fns), first.said, tokens, told=_told(there))


def _told(writes: Sequence[Write]) -> Callable[[Standing], None] | None:
    """All of them, where any wants to be."""
    wanting = [write.told for write in writes if write.told is not None]

    def told(standing: Standing) -> None:
        for each in wanting:
            each(standing)

    return told if wanting else None


def _within(write: Write) -> Writer:
    """A write to some columns as one to all of them."""
    unit = write.site.unit
    return within(unit, write) if isinstance(unit, Columns) else write.fn


def _tokens(write: Write | None) -> Any:
    return EVERY if write is None else write.tokens


def _rows_in(budget: int, model: nn.Module, spec: ModelSpec, batch: Batch, last: int) -> int:
    seq = batch.input_ids.shape[1]
    answered = spec.vocab_size * (last or seq)
    inside = [part.intermediate_dim or 0 for part in spec.parts.values()]
    widest = max([spec.hidden_dim, *inside, spec.num_heads * seq])
    size = next(model.parameters()).element_size()
    return max(1, budget // (seq * widest * size * _ALIVE + answered * size))


def _is_out_of_memory(error: Exception) -> bool:
    """torch raises a plain RuntimeError where the processor's memory ends."""
    return not isinstance(error, RuntimeError) or "memory" in str(error).lower()
