"""Sample: some neurons whose effect was estimated and measured as well, and how far the two agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..ranks import spearman, spearman_interval
from .effects import Effects

Neuron = tuple[str, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """Mean effects on the choosing half, nats a token."""

    neurons: tuple[Neuron, ...]
    estimated: Float[Tensor, "domains sampled"]
    measured: Float[Tensor, "domains sampled"]

    @classmethod
    def of(cls, neurons: Sequence[Neuron], estimated: Mapping[str, Effects], measured: Effects) -> Sample:
        first = torch.stack([estimated[name].mean[:, number] for name, number in neurons], 1)
        return cls(neurons=tuple(neurons), estimated=first, measured=measured.mean)

    @property
    def rho(self) -> float:
        """Spearman's, over neurons, of the mean effect on all domains; NaN where one of the two is the same always."""
        return spearman(self.estimated.mean(0), self.measured.mean(0))

    def interval(self, seed: int) -> tuple[float, float]:
        """95 %, by redrawing neurons."""
        return spearman_interval(self.estimated.mean(0), self.measured.mean(0), seed=seed)

    @property
    def by_domain(self) -> list[float]:
        return [spearman(*pair) for pair in zip(self.estimated, self.measured, strict=True)]
