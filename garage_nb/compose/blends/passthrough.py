"""Passthrough: what stands, times a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ...errors import BuildError
from .blend import Blend, Spot
from .value import ONE, Value


@dataclass(frozen=True)
class Passthrough(Blend):
    """Of `own` alone: there are no others."""

    scale: Value = ONE
    method: ClassVar[str] = "passthrough"

    def demand(self, others: int) -> None:
        if others:
            raise BuildError(f"passthrough takes one model as it is, not {1 + others}.", "Use linear for several.")

    def _mixed(self, tensors: list[Tensor], spot: Spot) -> Tensor:
        return tensors[0] * self.scale.at(spot.name_in(0), spot.depth)
