"""Gate: a small linear module that says how much of each perspective a token takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import linear

from ...core.seed import seeded
from ...errors import EditError
from ...registry.lift import Lifted
from ..blades.card import FitCard, ModelCard

TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True, eq=False)
class Gate:
    """Shares are the softmax of weight · x + bias, where x are the n perspectives side by side, each divided by its
    root mean square. All zeros give the average.

    `fit` says what it was fitted on, None of one that never was; `debate` in which debate, in words; `model` in which
    model, None where that is not known.
    """

    weight: Float[Tensor, "n n*dim"]
    bias: Float[Tensor, " n"]
    fit: FitCard | None = None
    debate: str = ""
    model: ModelCard | None = None

    def __post_init__(self) -> None:
        """EditError for other shapes, NaN and infinity."""
        shape, count = tuple(self.weight.shape), len(self.bias) if self.bias.ndim == 1 else 0
        if len(shape) != 2 or count < 2 or shape[0] != count or not shape[1] or shape[1] % count:
            raise EditError(
                f"A gate of {shape} and {tuple(self.bias.shape)} weighs no perspectives.",
                "Give (n, n · dim) and (n,), of two perspectives or more.",
            )
        if not bool(self.weight.isfinite().all() and self.bias.isfinite().all()):
            raise EditError("A gate holds NaN or infinity.", "Fit it anew, at a smaller rate.")

    @property
    def count(self) -> int:
        return len(self.bias)

    @property
    def width(self) -> int:
        return self.weight.shape[1] // self.count

    def __call__(self, rows: Float[Tensor, "n tokens dim"]) -> Float[Tensor, "n tokens"]:
        size = rows.square().mean(dim=-1, keepdim=True).sqrt().clamp(min=TINY)
        beside = (rows / size).transpose(0, 1).flatten(1)  # (tokens, n · dim)
        return linear(beside, self.weight.to(rows), self.bias.to(rows)).softmax(dim=-1).T


def demand_fitted_on(gate: Gate | None, lifted: Lifted) -> None:
    """EditError where a gate was fitted on other weights: it would weigh all the same, and mean nothing. One that names
    no model is let through.
    """
    if gate is None or gate.model is None:
        return
    live = ModelCard.of(lifted)
    if not gate.model.is_of(live):
        raise EditError(
            f"This gate was fitted on {gate.model}; these are other weights, {live}.",
            "Load that one, or fit the gate again; debate --insist lets it weigh where its width fits.",
        )


def untrained(count: int, width: int, seed: int) -> Gate:
    """By chance, no better than that: what stands in where no gate was fitted."""
    inside = count * width
    weight = torch.randn(count, inside, generator=seeded(seed), dtype=torch.float32) * inside**-0.5
    return Gate(weight, torch.zeros(count))
