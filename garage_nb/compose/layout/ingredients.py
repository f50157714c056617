"""Ingredients: where one tensor of the result comes from. Nothing is computed before it is asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..blends.blend import Blend, Spot
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
    def tensor(self) -> Tensor:
        """The tensor of the result, without gradients. Nothing of a donor is changed."""


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

    def tensor(self) -> Tensor:
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
    def tensor(self) -> Tensor:
        return self.blend.blended(self.own.tensor(), [other.tensor() for other in self.others], self.spot)


@dataclass(frozen=True, eq=False)
class Made(Ingredient):
    """Worked out in float64 from the first of `sources` and what else it takes, in the dtype of the first."""

    sources: Sequence[Ingredient]
    by: Callable[..., Tensor]

    @property
    def origin(self) -> Taken:
        return self.sources[0].origin

    @property
    def turn(self) -> str:
        return self.sources[0].turn

    @torch.no_grad()
    def tensor(self) -> Tensor:
        first = self.first
        return self.by(*(source.tensor().double() for source in self.sources)).to(first)
