"""Sets: which experts are forced together to answer for every token, as many as a router chooses."""

from __future__ import annotations

from itertools import combinations
from math import comb

import torch

from ...core.seed import seeded

MOST = 64  # sets of a router that are tried


def sets_of(experts: int, size: int, *, most: int = MOST, seed: int = 0) -> list[tuple[int, ...]]:
    """All there are, in order; of more than `most` so many drawn, each expert in about as many of them as any other."""
    if comb(experts, size) <= most:
        return list(combinations(range(experts), size))
    generator, found = seeded(seed), dict[tuple[int, ...], None]()
    while len(found) < most:
        order = torch.randperm(experts, generator=generator).tolist()
        for start in range(0, experts - size + 1, size):
            found[tuple(sorted(order[start : start + size]))] = None
    return list(found)[:most]
