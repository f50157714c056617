"""False discovery: p of many tests, so that of those called at 0.05 one in twenty is expected to be chance."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def benjamini_hochberg(ps: Float[Tensor, ...]) -> Float[Tensor, ...]:
    """Adjusted as one family, whatever the shape: Benjamini & Hochberg, "Controlling the False Discovery Rate", 1995.

    NaN, a test that was not made, stays NaN and is none of the family.
    """
    made = ~ps.isnan()
    ordered, order = ps[made].double().sort(descending=True)
    ranks = torch.arange(len(ordered), 0, -1, dtype=torch.float64)
    least = (ordered * len(ordered) / ranks).cummin(0).values if len(ordered) else ordered
    found = torch.full_like(ps, torch.nan, dtype=torch.float64)
    found[made] = torch.empty_like(least).scatter(0, order, least)
    return found
