"""As masked: whether a slice answers as the whole model does with the neurons masked that it has not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from ...core.batch import probe
from ...core.run import logits
from ...inject.mask import Kept, Mask
from ...registry.lift import Lifted
from ..assembly.casting import recast
from ..assembly.proof import Proof, alike, logits_of
from .narrowing import Means

ROOM = 1 << 32  # bytes of the whole model in float32


def as_masked(model: Any, lifted: Lifted, kept: Kept, means: Means) -> Proof:
    """`model` has the neurons that are `kept` of the lifted one. What is in sixteen bits is held in float32, where a
    single neuron shows; where it cannot be, nothing is proved but that it is not far off.
    """
    dtype = _wide(lifted.model, means)
    taps = [Mask(name, keep=numbers, fill=means.get(name)).tap(lifted.spec) for name, numbers in kept.items()]
    expected = logits(recast(lifted.model, dtype), probe(lifted.model), taps)
    found = alike("sliced = masked", logits_of(recast(model, dtype)), expected)
    return replace(found, found=f"in {dtype} {found.found}") if dtype else found


def _wide(model: Any, means: Means) -> str:
    """What to hold both in; empty for as they are. Means are rounded once more, in the bias that takes them."""
    size = 4 * sum(weight.numel() for weight in model.parameters())
    return "float32" if torch.finfo(model.dtype).bits < 32 and not means and size <= ROOM else ""
