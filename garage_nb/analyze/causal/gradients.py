"""Attribution patching: every cell of a patch grid estimated at once, to first order.

Metric of the corrupt run plus gradient · (clean − corrupt), summed over the dimensions of a place: Nanda, "Attribution
Patching: Activation Patching At Industrial Scale", 2023; Syed, Rager and Conmy, "Attribution Patching Outperforms
Automated Circuit Discovery", 2023.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.batch import Batch
from ...core.gradient import gradients
from ...core.tokens import Tokens
from ...errors import InputError
from ...inject.place import place_of
from ...inject.recipe import Recipe
from ...inject.sources import chosen_rows
from ...registry.lift import Lifted
from .contrast import Span
from .metrics import Metric
from .states import states


def estimated(
    lifted: Lifted,
    corrupt: Batch,
    recipe: Recipe,
    clean: Mapping[str, Tensor],
    spans: Sequence[Span],
    metric: Metric,
) -> Float[Tensor, "parts spans"]:
    """`clean` is what the clean run has at each part, (tokens, dim). InputError for a metric without a gradient."""
    names, taps = list(clean), recipe.taps(lifted.spec)
    before = states(lifted, corrupt, taps, names)
    base = float(metric(before.logits[None])[0])
    sites = [place_of(lifted.spec, name).site for name in names]
    edits = recipe.taps(lifted.spec)
    slopes = gradients(lifted.model, corrupt, edits, sites, lambda logits: _smooth(metric, logits[:, -1]))
    moves = [clean[name].double() - before.rows[name].double() for name in names]
    tokens = [
        (slope.reshape(move.shape).double() * move).sum(-1).cpu() for slope, move in zip(slopes, moves, strict=True)
    ]
    return base + torch.tensor([[float(_summed(each, span.said)) for span in spans] for each in tokens]).double()


def _summed(tokens: Tensor, span: str) -> Tensor:
    return chosen_rows(tokens[:, None], Tokens(span)).sum()


def _smooth(metric: Metric, logits: Tensor) -> Tensor:
    found = metric(logits) if metric.smooth else None
    if found is None or not found.requires_grad:
        raise InputError(f"The metric {metric.name} has no gradient.", "Use logit_difference, or the exact method.")
    return found[0]
