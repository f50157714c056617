"""Harmful: neurons without which a domain is answered better, chosen by one half of its items, held to the other.

Of each half one-sided t tests, adjusted after Benjamini and Hochberg: those that choose over all neurons of the domain,
those that confirm over what was chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from ..false_discovery import benjamini_hochberg
from .effects import Effects

LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Harm:
    """Of one part's neurons."""

    chosen: Bool[Tensor, "domains neurons"]
    confirmed: Bool[Tensor, "domains neurons"]


def harmful(choosing: Mapping[str, Effects], testing: Mapping[str, Effects]) -> dict[str, Harm]:
    """By part; a domain's neurons of all parts are one family."""
    first, second = (torch.cat([one.p for one in half.values()], 1) for half in (choosing, testing))
    chosen = torch.stack([benjamini_hochberg(row) <= LEVEL for row in first])
    again = second.where(chosen, torch.nan)
    confirmed = torch.stack([benjamini_hochberg(row) <= LEVEL for row in again])
    sizes = [one.mean.shape[1] for one in choosing.values()]
    pairs = zip(chosen.split(sizes, 1), confirmed.split(sizes, 1), strict=True)
    return {name: Harm(*pair) for name, pair in zip(choosing, pairs, strict=True)}
