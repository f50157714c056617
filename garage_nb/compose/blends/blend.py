"""Blend: how one weight comes out of several of one shape, by whatever method.

To add a method: a frozen dataclass with its parameters as fields, in a file of its own, and a line in `methods`. A
field's type is read there too: `Value`, `Values`, bool or int.

The numbers are those of mergekit 0.1.5, bit for bit on the host, so its order of operations is kept, and so is what it
does in which precision: linear and slerp work in float32 at least, all others in the precision that the tensors have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import MISSING, Field, dataclass, fields
from functools import reduce
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...errors import BuildError
from .value import Value, Values


@dataclass(frozen=True)
class Spot:
    """Which tensor of the result is being blended, by its name in the model, as mergekit has it: experts are one.

    `depth` is 0 at the first layer of the graft and 1 at its last, 1 too where there is one layer, and 0 outside the
    blocks: `in_block` says it. `inputs` are the tensor's names in its own model and in each of the others, empty where
    they are the same.
    """

    tensor: str
    depth: float = 0.0
    inputs: tuple[str, ...] = ()

    def name_in(self, source: int) -> str:
        return self.inputs[source] if self.inputs else self.tensor

    @property
    def turn(self) -> str:
        """Tensors that draw are asked in the order of these."""
        return max(self.inputs, default=self.tensor)


def in_block(index: int, count: int) -> float:
    """The depth of a block of a graft of so many."""
    return index / (count - 1) if count > 1 else 1.0


@dataclass(frozen=True)
class Blend(ABC):
    """`own` is what stands at the place: the base of methods that have one, the first model of the others.

    Two are equal when they say the same. `str` is as on a command line, `--method slerp --t 0.3`.
    """

    method: ClassVar[str]

    def blended(self, own: Tensor, others: Sequence[Tensor], spot: Spot) -> Tensor:
        """A new tensor of the shape of `own`, in the dtype that all of them promote to; nothing given is changed.

        BuildError for another shape or device, for other numbers of sources than it has values for, for whole numbers.
        """
        self.demand(len(others))
        with torch.no_grad():
            return self._mixed(_alike([own, *others], spot), spot)

    @abstractmethod
    def _mixed(self, tensors: list[Tensor], spot: Spot) -> Tensor:
        """`own` is first. All are of one shape, device and floating-point dtype."""

    @abstractmethod
    def demand(self, others: int) -> None:
        """BuildError where it cannot blend so many others into what stands."""

    def to_json(self) -> dict[str, Any]:
        """What `methods.blend_from_json` reads."""
        return {"method": self.method} | {said(item): plain(getattr(self, item.name)) for item in fields(self)}

    def __str__(self) -> str:
        given = [item for item in fields(self) if getattr(self, item.name) != default_of(item)]
        return " ".join([f"--method {self.method}", *(f"--{said(item)} {self._word(item)}" for item in given)])

    def _word(self, item: Field[Any]) -> str:
        value = getattr(self, item.name)
        return ",".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()

    def _each(self, numbers: Values, count: int, spot: Spot, first: int) -> list[float]:
        """One for each of so many sources, of which the first is number `first` (0 is `own`)."""
        every = numbers * count if len(numbers) == 1 else numbers
        return [value.at(spot.name_in(first + i), spot.depth) for i, value in enumerate(every)]

    def _demand_each(self, name: str, numbers: Values, count: int) -> None:
        if len(numbers) not in (1, count):
            raise BuildError(
                f"{self.method} has {len(numbers)} of {name}, and there are {count} to blend.",
                f"Say one for all, or {count}: --{name} {','.join(['0.5'] * count)}.",
            )


def said(item: Field[Any]) -> str:
    """The parameter as mergekit and the command line spell it: Python keeps `lambda` to itself."""
    return item.name.rstrip("_")


def default_of(item: Field[Any]) -> Any:
    return None if item.default is MISSING else item.default


def plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value.to_json() if isinstance(value, Value) else value


def _alike(tensors: list[Tensor], spot: Spot) -> list[Tensor]:
    """In one dtype. BuildError where they cannot be."""
    own = tensors[0]
    for other in tensors[1:]:
        if other.shape != own.shape or other.device != own.device:
            raise BuildError(
                f"{spot.tensor} is {tuple(own.shape)} on {own.device} here and {tuple(other.shape)} on "
                f"{other.device} there.",
                "Blend weights of one shape on one device.",
            )
    if not all(tensor.is_floating_point() for tensor in tensors):
        raise BuildError(f"{spot.tensor} holds whole numbers, which do not blend.", "Take it from one model.")
    dtype = reduce(torch.promote_types, [tensor.dtype for tensor in tensors])
    return [tensor.detach().to(dtype) for tensor in tensors]
