"""Ingredients: where one tensor of the result comes from. Nothing is computed before it is asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..blends.blend import Blend, Spot
from ..blends.drawing import once
from .donors import Donor


class Ingredient(ABC):
    @property
    @abstractmethod
    def origin(self) -> Taken:
        """Whose place it takes: a donor's tensor of the same shape, dtype and device."""

    @property
    def first(self) -> Tensor:
        return self.origin.donor.tensors[self.origin.name]

    @property
    @abstractmethod
    def turn(self) -> str:
        """Ingredients are asked for their tensors in the order of these, because some draw random numbers."""

    @abstractmethod
    def exact(self) -> Tensor:
        """What it comes to before it is rounded: in float32 at least where several steps make it."""

    def tensor(self) -> Tensor:
        """The tensor of the result, without gradients, rounded once. Nothing of a donor is changed."""
        return self.exact().to(self.first.dtype)


@dataclass(frozen=True, eq=False)
class Taken(Ingredient):
    """A donor's own tensor: the result shares its memory."""

    donor: Donor
    name: str

    @property
    def origin(self) -> Taken:
        return self

    @property
    def turn(self) -> str:
        return self.name

    def exact(self) -> Tensor:
        return self.first.detach()


@dataclass(frozen=True, eq=False)
class Blended(Ingredient):
    own: Ingredient
    others: Sequence[Ingredient]
    blend: Blend
    spot: Spot

    @property
    def origin(self) -> Taken:
        return self.own.origin

    @property
    def turn(self) -> str:
        return self.spot.turn

    @torch.no_grad()
    def exact(self) -> Tensor:
        return self._blended([_wide(source.exact()) for source in self._sources])

    @torch.no_grad()
    def tensor(self) -> Tensor:
        """One blend of donors' own weights works in the precision that mergekit works in."""
        if not all(isinstance(source, Taken) for source in self._sources):
            return super().tensor()
        return self._blended([source.tensor() for source in self._sources])

    @property
    def _sources(self) -> list[Ingredient]:
        return [self.own, *self.others]

    def _blended(self, tensors: list[Tensor]) -> Tensor:
        return self.blend.blended(tensors[0], tensors[1:], self.spot)


@dataclass(frozen=True, eq=False)
class Made(Ingredient):
    """Worked out in float64 from the first of `sources` and what else it takes.

    Changes of one weight are rounded together. What it was blended from was rounded before: that model is changed.
    """

    sources: Sequence[Ingredient]
    by: Callable[..., Tensor]

    @property
    def origin(self) -> Taken:
        return self.sources[0].origin

    @property
    def turn(self) -> str:
        return self.sources[0].turn

    @torch.no_grad()
    def exact(self) -> Tensor:
        found = (source.exact() if isinstance(source, Made) else once(source, source.tensor) for source in self.sources)
        return self.by(*(tensor.double() for tensor in found))


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32)) if tensor.is_floating_point() else tensor
