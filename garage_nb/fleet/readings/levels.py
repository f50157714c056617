"""Levels: how many entries lie between two edges of |x| / σ, counted at once for any number of tokens.

Which of some two thousand buckets an entry lies in is read off the bits of |x| / σ; no bucket holds more than one edge,
so that one comparison tells on which side of it the entry is. That is exact, and five times as fast as a search.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.tokenwise import EDGES

_SHIFT = 52 - 7  # of a float64: seven bits of its mantissa, 128 buckets an octave
_TINY = torch.finfo(torch.float64).tiny


@dataclass(frozen=True, eq=False)
class Table:
    """By bucket: the edges below it, and the one inside it, infinity where there is none. `start` is the first one's
    number; it holds all that is smaller too, and the last one all that is larger.
    """

    start: int
    below: Int[Tensor, " buckets"]
    inside: Float[Tensor, " buckets"]


def counted_levels(x: Float[Tensor, "tokens dim"], std: Float[Tensor, " tokens"]) -> Int[Tensor, " levels"]:
    """Entries with |x| / σ at most the first of EDGES, between two of them, beyond the last. 0 / 0 is 0."""
    table = _table(x.device)
    ratios = (x.abs() / std.clamp_min(_TINY)[:, None]).reshape(-1).double()
    buckets = (ratios.view(torch.int64) >> _SHIFT).sub_(table.start).clamp_(0, len(table.below) - 1)
    levels = table.below.index_select(0, buckets) + (ratios > table.inside.index_select(0, buckets))
    return torch.bincount(levels, minlength=len(EDGES) + 1)


@lru_cache(maxsize=8)
def _table(device: torch.device) -> Table:
    edges = torch.tensor(EDGES, dtype=torch.float64)
    numbers = edges.view(torch.int64) >> _SHIFT
    start = int(numbers[1]) - 1  # the first edge is 0
    places = (numbers - start).clamp(min=0)
    inside = torch.full((int(places[-1]) + 2,), torch.inf, dtype=torch.float64)
    inside[places] = edges
    below = torch.searchsorted(places, torch.arange(len(inside)))
    return Table(start, below.to(device), inside.to(device))
