"""Strayed: how far an edit takes a model from what it was, as readings of an arm."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.batch import Batch
from ...core.run import logits, read
from ...core.sites import Read
from ...core.stats import exact
from ...inject.edit import Edit
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from .papers import Reading


def divergence(lifted: Lifted, *edits: Edit) -> Reading:
    """KL of what comes next, untouched ‖ edited, in nats: mean over a row's tokens."""

    def reading(batch: Batch) -> Tensor:
        before, after = (_said(lifted, batch, some).log_softmax(-1) for some in ((), edits))
        return _mean((before.exp() * (before - after)).sum(-1), batch)

    return reading


def relative_error(lifted: Lifted, at: str, *edits: Edit) -> Reading:
    """‖edited − untouched‖ / ‖untouched‖ of what leaves a place, 0 where nothing does: mean over a row's tokens."""

    def reading(batch: Batch) -> Tensor:
        before, after = (_left(lifted, at, batch, some) for some in ((), edits))
        whole, apart = before.norm(dim=-1), (after - before).norm(dim=-1)
        return _mean(torch.where(whole > 0, apart / whole, 0.0), batch)

    return reading


def _said(lifted: Lifted, batch: Batch, edits: Sequence[Edit]) -> Float[Tensor, "rows seq vocab"]:
    return exact(logits(lifted.model, batch, Recipe(tuple(edits)).taps(lifted.spec), chain=lifted.spec.chain)).cpu()


def _left(lifted: Lifted, at: str, batch: Batch, edits: Sequence[Edit]) -> Float[Tensor, "rows seq dim"]:
    """Behind the edits."""
    kept: list[Tensor] = []
    seen = Read(lifted.spec.site(at), lambda hidden: kept.append(exact(hidden.detach()).cpu()))
    read(lifted.model, batch, [*Recipe(tuple(edits)).taps(lifted.spec), seen], chain=lifted.spec.chain)
    return kept[-1].reshape(*batch.input_ids.shape, -1)


def _mean(each: Float[Tensor, "rows seq"], batch: Batch) -> Float[Tensor, " rows"]:
    """Without padding."""
    mask = batch.attention_mask.cpu().to(each)
    return torch.where(mask > 0, each, 0.0).sum(1) / mask.sum(1)
