"""Transplant: the hidden states of another model's run, on the same tokens, take the place of the target's own.

Alpha 1 replaces, less is a share. "Model stitching" with the identity (Lenc & Vedaldi, "Understanding Image
Representations by Measuring Their Equivariance and Equivalence", 2015) and "activation patching" between models. It
means something where both models share their directions: copies that were trained further, hardly two of one width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ....errors import EditError
from ....registry.lift import Lifted
from ..blade import Blade
from ..card import FitCard, ModelCard
from ..fitting.pairing import paired
from .kind import Act, Kind, Tensors, of_source


def _act(blade: Blade) -> Act:
    def act(tensors: Tensors, hidden: Tensor, source: Tensor | None, alpha: float) -> Tensor:
        return torch.lerp(hidden, of_source(source), alpha)  # exact at 0, at 1, and where both are equal

    return act


TRANSPLANT = Kind("transplant", True, lambda blade: {}, _act)


def transplant(
    name: str, target: Lifted, place: str, source: Lifted, *, source_place: str | None = None, alpha: float = 1.0
) -> Blade:
    """Nothing is fitted. EditError for other tokens, or another width: a `projected` blade is for that."""
    ends = paired(target, place, source, source_place)
    if ends.width != ends.source_width:
        raise EditError(
            f"{ends.source_place} of the source is {ends.source_width} wide, {ends.place} of the target {ends.width}.",
            "Ask for a projection: fit_projected.",
        )
    return Blade(
        name=name,
        kind=TRANSPLANT.name,
        place=ends.place,
        width=ends.width,
        tensors={},
        alpha=alpha,
        target=ModelCard.of(target),
        source=ModelCard.of(source),
        source_place=ends.source_place,
        source_width=ends.source_width,
        fit=FitCard.none(),
    )
