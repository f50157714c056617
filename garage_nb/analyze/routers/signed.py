"""Signed: is an expert better than the router, is it worse? Two questions, each with a test of its own.

One test for both would call an expert special that does nothing but harm. Where it makes no difference, the difference
of every item is as likely to have the other sign: so signs are drawn (Fisher, "The Design of Experiments", 1935).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.seed import seeded
from ..bootstrap import DRAWS, Interval, bootstrap

_SAME = 1e-12


@dataclass(frozen=True, eq=False)
class Signed:
    """By expert: how much the loss rises over the router's, and p of its being better, and of its being worse."""

    rise: Interval
    better: Float[Tensor, " experts"]
    worse: Float[Tensor, " experts"]


def signed(rise: Float[Tensor, "items experts"], *, draws: int = DRAWS, seed: int = 0) -> Signed:
    """One-sided, the truth among what is drawn."""
    exact, generator = rise.double(), seeded(seed)
    signs = torch.randint(0, 2, (draws, len(exact)), generator=generator).double() * 2 - 1
    drawn, sums = signs @ exact, exact.sum(0)  # (draws, experts)
    better = (1 + (drawn <= sums + _SAME).sum(0)) / (1 + draws)
    worse = (1 + (drawn >= sums - _SAME).sum(0)) / (1 + draws)
    return Signed(bootstrap(exact, seed=seed), better.double(), worse.double())
