"""Answering: the ways to answer that arms are made of: a model as it is or under edits, or several together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ...compose.graft import Merge
from ...compose.sheet import BuildSheet
from ...core.batch import Batch
from ...core.run import logits
from ...inject.edit import Edit
from ...inject.recipe import Recipe
from ...registry.lift import Lifted, lift
from .papers import Answering


def alone(lifted: Lifted, *edits: Edit) -> Answering:
    """With the edits in force."""
    recipe = Recipe(edits)

    def answer(batch: Batch) -> Float[Tensor, "rows seq vocab"]:
        return logits(lifted.model, batch, recipe.taps(lifted.spec), chain=lifted.spec.chain)

    return answer


def ensemble(several: Sequence[Lifted]) -> Answering:
    """The mean of their logits, in float32 or wider, for a pass of each. Tables of one tokenizer may be padded to
    unlike lengths: beyond the shortest there are no tokens.
    """

    def answer(batch: Batch) -> Float[Tensor, "rows seq vocab"]:
        each = [logits(one.model, batch, chain=one.spec.chain) for one in several]
        known, first = min(one.shape[-1] for one in each), each[0]
        wide = torch.promote_types(first.dtype, torch.float32)
        return torch.stack([one[..., :known].to(first.device, wide) for one in each]).mean(0)

    return answer


def merged(target: Lifted, source: Lifted, share: float) -> Lifted:
    """Their weights, linearly, so much of the source. BuildError for models of unlike shapes."""
    donors = {"target": target.model, "source": source.model}
    merge = Merge.of("all", "source", method="linear", weight=f"{1 - share},{share}")
    model = BuildSheet(base="target", donors=donors, grafts=(merge,), name="merge").build().model
    return lift(model, tokenizer=target.tokenizer)
