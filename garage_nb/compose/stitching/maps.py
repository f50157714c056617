"""Maps: from the hidden states of one model to those of another, and back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.seed import seeded


@dataclass(frozen=True, eq=False)
class Maps:
    """Around a guest: host states @ into + shift enter it, and what it adds @ out is added to the host's. In float64.

    `said` is how they came about: fitted, on how much and how well, or untrained.
    """

    into: Float[Tensor, "host guest"]
    shift: Float[Tensor, " guest"]
    out: Float[Tensor, "guest host"]
    said: str


def untrained(host: int, guest: int, seed: int = 0) -> Maps:
    """An orthogonal map as drawn, and its transpose: where widths are equal, there and back again changes nothing."""
    drawn = torch.randn(max(host, guest), min(host, guest), generator=seeded(seed), dtype=torch.float64)
    tall = torch.linalg.qr(drawn).Q
    into = tall if host >= guest else tall.T
    return Maps(into, torch.zeros(guest).double(), into.T.contiguous(), "untrained")
