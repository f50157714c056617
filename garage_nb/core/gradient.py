"""Gradient: how an answer would change with what passes at some places, from one pass forth and one back.

Gradients are of tensors of our own that edits add to the hidden states. No weight is asked for its own, and none gets
a `.grad`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

import torch
from torch import Tensor, nn

from ..errors import UnsupportedModelError
from .batch import Batch
from .calling import answer, asked
from .prefix import Prefix
from .run import attached_for, own_run, under_way
from .sites import Site, Tap, Write


class _Lever:
    """A tensor of zeros as wide as what passes, which is added to it."""

    def __init__(self) -> None:
        self.moved: list[Tensor] = []

    def __call__(self, hidden: Tensor, touched: Tensor | None) -> Tensor:
        zeros = torch.zeros_like(hidden, requires_grad=True)
        self.moved.append(zeros)
        return hidden + zeros


def gradients(
    model: nn.Module, batch: Batch, taps: Sequence[Tap], sites: Sequence[Site], score: Callable[[Tensor], Tensor]
) -> list[Tensor]:
    """The gradient of a score with regard to what is at each site, of that shape.

    `score` makes one number of the logits (batch, seq, vocab). UnsupportedModelError where something on the way back
    has no gradient.
    """
    levers = [_Lever() for _ in sites]
    writes = [Write(replace(site, times=1.0), lever) for site, lever in zip(sites, levers, strict=True)]
    with own_run(model), torch.inference_mode(False), torch.enable_grad():
        with attached_for(model, batch, Prefix(), [*taps, *writes]):
            found = answer(under_way(model, asked(model, batch, use_cache=False)))
        moved = [lever.moved for lever in levers]
        try:
            slopes = _back(score(found), moved)
        except RuntimeError as error:
            raise UnsupportedModelError(
                f"No gradient comes back through this {type(model).__name__}: {error}.",
                "Use the exact method, which needs none.",
            ) from None
    return [slope / site.times for slope, site in zip(slopes, sites, strict=True)]


def _back(score: Tensor, moved: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """A place that is passed several times in one run counts each time."""
    flat = list(chain.from_iterable(moved))
    found = iter(torch.autograd.grad(score, flat, allow_unused=True))
    each = [[_or_zeros(next(found), zeros) for zeros in mine] for mine in moved]
    return [torch.stack(mine).sum(dim=0) for mine in each]


def _or_zeros(gradient: Tensor | None, zeros: Tensor) -> Tensor:
    return torch.zeros_like(zeros) if gradient is None else gradient
