"""Threshold: small entries become 0, as in training-free activation sparsity (Liu et al., "TEAL", 2024)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..core.sites import Writer, everywhere
from ..errors import EditError
from .edit import Edit
from .edits import demand_number
from .place import Place


@dataclass(frozen=True, eq=False)
class Threshold(Edit):
    """Set entries with |x| ≤ `level` to 0. The level is in the units of the hidden states there; NaN stays NaN.

    At level 0 every number stays as it is. Zeroing is arithmetic here: it saves no time.
    """

    level: float

    def __post_init__(self) -> None:
        demand_number(self.level)
        if isinstance(self.level, torch.Tensor) or self.level < 0:
            raise EditError(f"{self.level} is no level.", "Give a number from 0 upwards: what is no larger becomes 0.")
        super().__post_init__()

    def writer(self, place: Place) -> Writer:
        return everywhere(lambda hidden: torch.where(hidden.abs() <= self.level, 0, hidden))
