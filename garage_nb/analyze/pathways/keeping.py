"""Keeping: which neurons stay when a share of every part does, by a score of each."""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from ...inject.mask import Kept, Mask
from .effects import Fills


def kept(scores: Mapping[str, Float[Tensor, " neurons"]], share: float) -> Kept:
    """The highest of each part, as many as `counted` says."""
    return {
        name: tuple(sorted(score.topk(counted(len(score), share)).indices.tolist())) for name, score in scores.items()
    }


def counted(neurons: int, share: float) -> int:
    """At least one. InputError for a share that is none."""
    if not 0 < share <= 1:
        raise InputError(f"{share:g} is no share that can be kept.", "Give one above 0 and up to 1: 0.5.")
    return max(1, round(share * neurons))


def masks(keep: Kept, fills: Fills) -> list[Mask]:
    return [Mask(name, keep=numbers, fill=fills.get(name)) for name, numbers in keep.items()]
