"""Task arithmetic: add to the base what each fine-tuned model learned (Ilharco et al. 2023)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from .blend import Spot
from .deltas import Deltas, plain_sum


@dataclass(frozen=True)
class TaskArithmetic(Deltas):
    """A negative weight takes away what a model learned."""

    method: ClassVar[str] = "task_arithmetic"

    def _thinned(self, deltas: Iterable[Tensor], count: int, spot: Spot) -> Iterable[Tensor]:
        return deltas

    def _summed(self, deltas: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        return plain_sum(deltas, weights)
