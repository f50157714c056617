"""Sign flips: what differences of paired items would be if which side is which did not matter.

Where it does not, the difference of every item is as likely to have the other sign: so signs are drawn (Fisher, "The
Design of Experiments", 1935). Where each item only tells the two sides apart or does not, that is McNemar's exact test.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.seed import seeded
from .bootstrap import DRAWS
from .judging.contest import Contest

_SAME = 1e-12  # sums are as large up to rounding


def drawn_signs(items: int, *, draws: int = DRAWS, seed: int = 0) -> Float[Tensor, "draws items"]:
    """+1 or -1, each as likely."""
    return torch.randint(2, (draws, items), generator=seeded(seed)).double() * 2 - 1


def swap_p(differences: Float[Tensor, " items"], *, draws: int = DRAWS, seed: int = 0) -> float:
    """Two-sided. The drawn one is never 0: the truth is one of the swaps (Phipson & Smyth 2010)."""
    told = differences[differences != 0]
    if not len(told) or bool((told.abs() == told[0].abs()).all()):
        return Contest(won=int((told > 0).sum()), lost=int((told < 0).sum()), n=len(differences)).p
    sums, truth = (drawn_signs(len(told), draws=draws, seed=seed) @ told).abs(), float(told.sum().abs())
    as_large = int((sums >= truth - _SAME * float(told.abs().sum())).sum())
    return (1 + as_large) / (1 + draws)
