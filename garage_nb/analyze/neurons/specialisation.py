"""Specialisation: whether a neuron prefers one domain, and how often such a preference comes by chance.

index  (r₁ − r̄) / (r₁ + r̄) of its firing rates: r₁ in the domain where it fires most, r̄ the mean of the others; 0 where
       all are alike, 1 where it fires in one alone (the class selectivity of Morcos et al. 2018)
p      share of relabellings, the true one among them, in which the index is at least as large. Whole prompts change
       their domain, not tokens: tokens of one prompt are no independent witnesses.

Relabellings are drawn before the first prompt is read, and counted along with the truth, so memory is the same for any
number of prompts.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.seed import seeded

_BLOCK = 32  # prompts that are counted at once
_SAME = 1e-12  # an index is equal up to rounding


class Tally:
    """Firings by relabelling, domain and neuron; relabelling 0 is the truth."""

    def __init__(self, domains: Sequence[int], count: int, neurons: int, relabellings: int, seed: int) -> None:
        generator = seeded(seed)
        truth = torch.tensor(domains)
        drawn = [truth[torch.randperm(len(truth), generator=generator)] for _ in range(relabellings)]
        self.labels = torch.stack([truth, *drawn])  # (relabellings + 1, prompts)
        self.fired = torch.zeros(relabellings + 1, count, neurons, dtype=torch.float32)  # whole, so exact to 2²⁴
        self.tokens = torch.zeros(relabellings + 1, count, dtype=torch.float32)
        self._waiting: list[Float[Tensor, " neurons"]] = []
        self._lengths: list[int] = []
        self._next = 0

    def add(self, fired: Int[Tensor, " neurons"], tokens: int) -> None:
        """One prompt, in order."""
        self._waiting.append(fired.float())
        self._lengths.append(tokens)
        if len(self._waiting) == _BLOCK:
            self.settle()

    def settle(self) -> None:
        """Count what waits."""
        if not self._waiting:
            return
        labels = self.labels[:, self._next : self._next + len(self._waiting)]
        belongs = torch.nn.functional.one_hot(labels, self.fired.shape[1]).float().transpose(1, 2)
        self.fired += belongs @ torch.stack(self._waiting)
        self.tokens += belongs @ torch.tensor(self._lengths, dtype=torch.float32)
        self._next += len(self._waiting)
        self._waiting, self._lengths = [], []

    def rates(self, relabelling: int = 0) -> Float[Tensor, "domains neurons"]:
        return self.fired[relabelling].double() / self.tokens[relabelling, :, None].double()

    def chance(self) -> Float[Tensor, " neurons"]:
        """p of every neuron; NaN for one that has no index, or without relabellings."""
        truth, others = index(self.rates()), range(1, len(self.labels))
        if not others:
            return torch.full_like(truth, torch.nan)
        as_large = sum((index(self.rates(number)) >= truth - _SAME).double() for number in others)
        return torch.where(truth.isnan(), torch.nan, (1 + as_large) / (1 + len(others)))


def index(rates: Float[Tensor, "domains neurons"]) -> Float[Tensor, " neurons"]:
    """NaN for a neuron that never fires, and for a single domain."""
    if rates.shape[0] < 2:
        return torch.full_like(rates[0], torch.nan)
    first = rates.amax(0)
    rest = (rates.sum(0) - first) / (rates.shape[0] - 1)
    return (first - rest) / (first + rest)
