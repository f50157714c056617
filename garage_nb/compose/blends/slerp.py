"""Slerp: along the great circle from one weight to another, whole tensors taken as vectors (Shoemake 1985)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...errors import BuildError
from .blend import Blend, Spot
from .linear import wide
from .value import Value

STRAIGHT = 0.9995  # |cosine| from which the circle is no longer told from the line
SHORT = 1e-8  # a norm of at most this is taken for 1: the vector has no direction
PIECE = 1024 * 1024  # numbers at a time in the wider precision; sums are taken piece by piece


@dataclass(frozen=True)
class Slerp(Blend):
    """`t` is 0 at `own` and 1 at the other. Nearly parallel or opposite ones are mixed along the straight line."""

    t: Value
    method: ClassVar[str] = "slerp"

    def demand(self, others: int) -> None:
        if others != 1:
            raise BuildError(f"slerp goes from one model to one other, not to {others}.", "Use linear for more.")

    def _mixed(self, tensors: list[Tensor], spot: Spot) -> Tensor:
        if not tensors[0].numel():
            return tensors[0].clone()
        own, other = (tensor.reshape(1, -1) for tensor in tensors)
        t = torch.tensor([[self.t.at(spot.tensor, spot.depth)]], dtype=wide(own), device=own.device)
        of_own, of_other = _shares(t, _cosine(own, other))
        mixed = torch.empty_like(own)
        for place, a, b in _pieces(own, other):
            mixed[:, place] = of_own * a + of_other * b
        return mixed.reshape(tensors[0].shape)


def _pieces(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Where, and what is there of each (1, numbers), in the precision the work is done in."""
    for start in range(0, a.shape[1], PIECE):
        place = slice(start, start + PIECE)
        yield place, a[:, place].to(wide(a)), b[:, place].to(wide(b))


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    """Of two (1, numbers), within -1 and 1, as (1, 1). Each is made a unit vector before they are multiplied."""
    lengths = [(_length(x), _length(y)) for _, x, y in _pieces(a, b)]
    of_a, of_b = (_sure(_length(torch.stack(parts), dim=0)) for parts in zip(*lengths, strict=True))
    return _total([((x / of_a) * (y / of_b)).sum(dim=1, keepdim=True) for _, x, y in _pieces(a, b)]).clamp(-1, 1)


def _length(vector: Tensor, dim: int = 1) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(vector, dim=dim, keepdim=dim == 1)
    return length


def _sure(length: Tensor) -> Tensor:
    return torch.where(length > SHORT, length, 1)


def _total(parts: list[Tensor]) -> Tensor:
    return torch.stack(parts).sum(dim=0)


def _shares(t: Tensor, cosine: Tensor) -> tuple[Tensor, Tensor]:
    """What is taken of each, (1, 1)."""
    if cosine.abs() > STRAIGHT:
        return 1 - t, t
    angle = torch.acos(cosine)
    return torch.sin((1 - t) * angle) / torch.sin(angle), torch.sin(t * angle) / torch.sin(angle)
