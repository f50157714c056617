"""Thinning: which entries of a place become 0, by rules that leave the same number of zeros.

threshold   |x| no larger than one level, whatever the token: TEAL (Liu et al. 2024), CATS (Lee et al. 2024)
random      drawn: as many zeros as the threshold left at this place in this text
contextual  the smallest |x| of each token, chosen anew for every one: Deja Vu (Liu et al. 2023) guesses such a choice,
            this one has to see all of the token first. Every token gives up the same share, where a threshold takes
            more of the quiet ones, so neither is a bound for the other

To add one: a function from a Cell to an Edit, and a line in ARMS. None of them saves time here: zeros are multiplied
as any number is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.seed import seeded
from ...inject.edit import Edit
from ...inject.edits import Through
from ...inject.threshold import Threshold


@dataclass(frozen=True)
class Cell:
    """One place at one share in one text. `zeros` is how many entries the threshold left at 0 there, `seed` is for
    drawing others.
    """

    place: str
    share: float
    level: float
    zeros: int = 0
    seed: int = 0


def scattered(hidden: Tensor, zeros: int, seed: int) -> Tensor:
    """`zeros` entries are 0, those that were so first, the others drawn; all that were so where those are more."""
    flat = hidden.flatten()
    others = flat.nonzero()[:, 0]
    more = max(0, zeros - (len(flat) - len(others)))
    chosen = others[torch.randperm(len(others), generator=seeded(seed))[:more].to(hidden.device)]
    return flat.index_fill(0, chosen, 0).reshape(hidden.shape)


def smallest(hidden: Tensor, share: float) -> Tensor:
    """The round(share · dim) smallest |x| of each token are 0."""
    count = round(share * hidden.shape[-1])
    return hidden.scatter(-1, hidden.abs().topk(count, dim=-1, largest=False, sorted=False).indices, 0)


ARMS: dict[str, Callable[[Cell], Edit]] = {
    "threshold": lambda cell: Threshold(cell.place, cell.level),
    "random": lambda cell: Through(cell.place, lambda hidden: scattered(hidden, cell.zeros, cell.seed)),
    "contextual": lambda cell: Through(cell.place, lambda hidden: smallest(hidden, cell.share)),
}
CONTROLS: dict[str, tuple[str, ...]] = {
    "all": ("random", "contextual"),
    "random": ("random",),
    "contextual": ("contextual",),
    "none": (),
}
