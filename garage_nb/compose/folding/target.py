"""Target: the weight, and the bias if there is one, that decide what passes a place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ...core.units import Columns
from .affine import Affine

Change = Callable[..., Tensor]  # of the weight, or of the bias and the weight, in float64


@dataclass(frozen=True)
class Target(ABC):
    """`path` is the module's in the result."""

    path: str

    @abstractmethod
    def weight(self, by: Affine) -> Change:
        """(weight) -> weight."""

    def bias(self, by: Affine) -> Change:
        """(bias, weight) -> bias, where the module has one."""
        return lambda bias, weight: bias * by.scale.to(bias) + by.shift.to(bias)

    def shifts_without_bias(self) -> bool:
        return False


@dataclass(frozen=True)
class Leaving(Target):
    """What leaves a linear map, whose weight counts it along `dim`."""

    dim: int

    def weight(self, by: Affine) -> Change:
        return lambda weight: weight * _along(by.scale, weight, self.dim)


@dataclass(frozen=True)
class Entering(Target):
    """What enters a linear map, or some columns of it, which its weight counts along `dim`."""

    dim: int
    columns: Columns | None = None

    def weight(self, by: Affine) -> Change:
        def scaled(weight: Tensor) -> Tensor:
            changed = weight.clone()
            self._own(changed).mul_(_along(by.scale, weight, self.dim))
            return changed

        return scaled

    def bias(self, by: Affine) -> Change:
        return lambda bias, weight: bias + self._own(weight).movedim(self.dim, -1) @ by.shift.to(bias)

    def _own(self, weight: Tensor) -> Tensor:
        if self.columns is None:
            return weight
        return weight.narrow(self.dim, self.columns.start, self.columns.stop - self.columns.start)


@dataclass(frozen=True)
class Table(Target):
    """What leaves an embedding, times the factor it may have."""

    factor: float = 1.0

    def weight(self, by: Affine) -> Change:
        return lambda weight: weight * by.scale.to(weight) + by.shift.to(weight) / self.factor

    def shifts_without_bias(self) -> bool:
        return True


@dataclass(frozen=True)
class Gain(Target):
    """What leaves a norm. Of some the gain is `offset` more than the weight."""

    offset: float = 0.0

    def weight(self, by: Affine) -> Change:
        return lambda weight: (weight + self.offset) * by.scale.to(weight) - self.offset


def _along(values: Tensor, weight: Tensor, dim: int) -> Tensor:
    shape = [1] * weight.ndim
    shape[dim] = -1
    return values.to(weight).reshape(shape)
