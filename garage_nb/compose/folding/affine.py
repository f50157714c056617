"""Affine: an edit that scales and shifts each number by itself, found out by trying it, whatever kind it is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.seed import seeded
from ...core.tokens import EVERY
from ...inject.edit import Edit
from ...inject.place import Place

_CLOSE = 1e-9  # relative, in float64
_SIZES = torch.logspace(-8, 4, 16).double()  # of the states it is tried on, token by token


@dataclass(frozen=True, eq=False)
class Affine:
    """hidden · scale + shift, both (width,) in float64."""

    scale: Float[Tensor, " width"]
    shift: Float[Tensor, " width"]


def affine_of(edit: Edit, place: Place) -> Affine | str:
    """Or why it is none, in words that follow on "it". Errors as of `Edit.writer`."""
    if place.width is None:
        return "acts at a place whose width is not known"
    if edit.tokens != EVERY:
        return f"touches some tokens only ({edit.tokens})"
    sizes = _SIZES[:, None].expand(-1, place.width)
    drawn = torch.randn(1, *sizes.shape, generator=seeded(0), dtype=torch.float64) * sizes
    writers = [edit.writer(place) for _ in range(3)]
    given = (torch.zeros_like(drawn), torch.ones_like(drawn), drawn)
    try:
        shift, both, tried = (write(hidden, None).double() for write, hidden in zip(writers, given, strict=True))
    except Exception:  # a module of the user's own, or states for other positions than these
        return "asks for real hidden states"
    scale = both - shift
    if not (_is_one(scale) and _is_one(shift)):
        return "does not do the same at every token"
    exact = torch.allclose(tried, drawn * scale + shift, rtol=_CLOSE, atol=_CLOSE)
    return Affine(scale[0, 0], shift[0, 0]) if exact else "depends on the hidden states"


def _is_one(rows: Tensor) -> bool:
    return bool((rows == rows[:, :1]).all())
