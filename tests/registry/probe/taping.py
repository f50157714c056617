"""A tape of one call, and modules small enough to know every operation of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from garage_nb.core.attach import Attached
from garage_nb.registry.probe.tape import Call, Tape

X = torch.tensor([[1.0, -2.0, 3.0]])


class Add(nn.Module):
    """Returns its sum beside something else."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 3, bias=False)
        nn.init.eye_(self.inner.weight)

    def forward(self, x: Tensor) -> tuple[Tensor, str]:
        return x + self.inner(x) * 0.5, "beside"


class Twice(nn.Module):
    """Calls one module two times and writes into the last result."""

    def __init__(self) -> None:
        super().__init__()
        self.part = Add()

    def forward(self, x: Tensor) -> Tensor:
        first, _ = self.part(x)
        second, _ = self.part(first)
        second += first
        return second.view(3, 1) - 1.0


def taped(model: nn.Module, *args: Any) -> Tape:
    tape = Tape()
    with torch.no_grad(), Attached(model, tape.watches(model)), tape:
        model(*args)
    return tape


def calls(tape: Tape, path: str) -> list[Call]:
    return [call for call in tape.calls if call.path == path]
