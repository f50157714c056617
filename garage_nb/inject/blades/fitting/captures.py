"""Captures: hidden states of target and source on the same tokens, reduced to the sums that a fit needs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ....core.batch import Batch
from ....core.progress import progress
from ....core.regression import Sums, added
from ....core.run import read
from ....core.singly import singly
from ....core.sites import Read
from ....core.stats import exact
from ....errors import EditError, NotFiniteError
from ....registry.lift import Lifted
from .pairing import Ends


@dataclass(frozen=True, eq=False)
class Captured:
    """`sums` of the source's states as x and the target's as y; `magnitudes` are the mean |x| of each dimension of x.

    `width` is that of y.
    """

    sums: Sums
    magnitudes: Float[Tensor, " source"]
    width: int


def captured(target: Lifted, source: Lifted, ends: Ends, prompts: Sequence[str]) -> Captured:
    """Over every token, prompt by prompt: what stays is the sums, in float64 on the host."""
    if not prompts:
        raise EditError("There is nothing to fit on.", "Give some prompts.")
    sums, total = None, torch.zeros(ends.source_width, dtype=torch.float64)
    batches = singly(list(prompts), target.model, target.tokenizer)
    with progress("capturing", "prompt", len(batches)) as bar:
        for batch in batches:
            x = exact(states_of(source, ends.source_place, batch)).cpu()
            y = exact(states_of(target, ends.place, batch)).cpu()
            sums, total = added(sums, x, y), total + x.abs().sum(dim=0)
            bar.update()
    assert sums is not None
    return Captured(sums, total / sums.count, ends.width)


def states_of(lifted: Lifted, place: str, batch: Batch) -> Float[Tensor, "tokens dim"]:
    """Of one prompt, from the untouched model. NotFiniteError for NaN and infinity."""
    seen: list[Tensor] = []
    there = batch.to(next(lifted.model.parameters()).device)
    read(lifted.model, there, [Read(lifted.spec.site(place), lambda hidden: seen.append(hidden.clone()))])
    rows = seen[0].reshape(-1, seen[0].shape[-1])
    if not bool(rows.isfinite().all()):
        raise NotFiniteError(f"{place} of {lifted.spec.model_id} holds NaN or infinity.", "Load it in float32.")
    return rows


def data_hash(texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
