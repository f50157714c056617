"""Swaps: how often a difference as large comes when the two sides of each item are swapped at random.

Where each item only tells the two apart or does not, this is McNemar's exact test; elsewhere swaps are drawn.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...analyze.bootstrap import DRAWS
from ...analyze.judging.contest import Contest
from ...core.seed import seeded

_SAME = 1e-12  # sums are as large up to rounding


def swap_p(differences: Float[Tensor, " items"], *, draws: int = DRAWS, seed: int = 0) -> float:
    """Two-sided. The drawn one is never 0: the truth is one of the swaps (Phipson & Smyth 2010)."""
    told = differences[differences != 0]
    if not len(told) or bool((told.abs() == told[0].abs()).all()):
        return Contest(won=int((told > 0).sum()), lost=int((told < 0).sum()), n=len(differences)).p
    signs = torch.randint(2, (draws, len(told)), generator=seeded(seed)).double() * 2 - 1
    sums, truth = (signs @ told).abs(), float(told.sum().abs())
    as_large = int((sums >= truth - _SAME * float(told.abs().sum())).sum())
    return (1 + as_large) / (1 + draws)
