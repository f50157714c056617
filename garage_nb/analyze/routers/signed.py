"""Signed: is an expert better than the router, is it worse? Two questions, each with a test of its own.

One test for both would call an expert special that does nothing but harm. Both are of drawn signs (sign_flips.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ..bootstrap import DRAWS, Interval, bootstrap
from ..sign_flips import drawn_signs

_SAME = 1e-12


@dataclass(frozen=True, eq=False)
class Signed:
    """By expert: how much the loss rises over the router's, and p of its being better, and of its being worse."""

    rise: Interval
    better: Float[Tensor, " experts"]
    worse: Float[Tensor, " experts"]


def signed(rise: Float[Tensor, "items experts"], *, draws: int = DRAWS, seed: int = 0) -> Signed:
    """One-sided, the truth among what is drawn."""
    exact = rise.double()
    drawn, sums = drawn_signs(len(exact), draws=draws, seed=seed) @ exact, exact.sum(0)  # (draws, experts)
    better = (1 + (drawn <= sums + _SAME).sum(0)) / (1 + draws)
    worse = (1 + (drawn >= sums - _SAME).sum(0)) / (1 + draws)
    return Signed(bootstrap(exact, seed=seed), better.double(), worse.double())
