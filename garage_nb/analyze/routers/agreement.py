"""Agreement: whether the experts that a router thinks likely for an item are those that do better on it.

For every item Spearman's correlation, over the experts, of routing probability and measured quality; the mean over
items is `rho`. Experts are taken as they are, items as drawn: the interval is a bootstrap over items.

p        two-sided: in every item the experts' qualities are dealt out anew
beyond   how much larger rho is than with the quality of another item of the same cell: what the router knows of the
         item, and not only which experts are good on average. `p_beyond` is one-sided, by giving items each other's
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.seed import seeded
from ..bootstrap import bootstrap
from ..ranks import ranks

RELABELLINGS = 2000
_SAME = 1e-12
_ROOM = 1 << 22  # numbers drawn at a time


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Of `items` whose experts are told apart by both; NaN where there is none."""

    rho: float
    low: float
    high: float
    p: float
    beyond: float
    p_beyond: float
    items: int


def agreement(
    probability: Float[Tensor, "items experts"],
    quality: Float[Tensor, "items experts"],
    *,
    relabellings: int = RELABELLINGS,
    seed: int = 0,
) -> Agreement:
    """An expert whose quality was not measured, NaN in every item, is left out."""
    measured = ~quality.isnan().any(0)
    a, b = (_standard(one[:, measured]) for one in (probability, quality))
    told = (a != 0).any(1) & (b != 0).any(1)
    a, b = a[told], b[told]
    if not len(a):
        none = float("nan")
        return Agreement(rho=none, low=none, high=none, p=none, beyond=none, p_beyond=none, items=0)
    each, generator = (a * b).sum(1), seeded(seed)
    sure, rho = bootstrap(each[:, None], seed=seed), float(each.mean())
    crossed = a @ b.T  # (items, items)
    dealt = _dealt(a, b, relabellings, generator)
    others = _given_away(crossed, relabellings, generator)
    return Agreement(
        rho=rho,
        low=float(sure.low[0]),
        high=float(sure.high[0]),
        p=_share(dealt.abs() >= abs(rho) - _SAME),
        beyond=rho - float(crossed.mean()),
        p_beyond=_share(others >= rho - _SAME),
        items=len(a),
    )


def _standard(values: Tensor) -> Float[Tensor, "items experts"]:
    """Ranks with mean 0 and length 1, so that a product of two is Spearman's; 0 where all are alike."""
    found = ranks(values)
    apart = found - found.mean(-1, keepdim=True)
    lengths: Tensor = apart.norm(dim=-1, keepdim=True)
    return apart / lengths.clamp(min=_SAME)


def _dealt(a: Tensor, b: Tensor, count: int, generator: torch.Generator) -> Float[Tensor, " count"]:
    """rho with the experts of every item in another order, `count` times."""
    found, size = [], max(1, _ROOM // b.numel())
    for start in range(0, count, size):
        order = torch.rand(min(size, count - start), *b.shape, generator=generator).argsort(-1)
        found.append((a * b.expand(len(order), *b.shape).gather(-1, order)).sum(-1).mean(-1))
    return torch.cat(found)


def _given_away(crossed: Float[Tensor, "items items"], count: int, generator: torch.Generator) -> Tensor:
    """rho with every item's quality given to another one, `count` times."""
    order = torch.rand(count, len(crossed), generator=generator).argsort(-1)
    return crossed[torch.arange(len(crossed)), order].mean(-1)


def _share(as_much: Tensor) -> float:
    """The truth among them."""
    return (1 + int(as_much.sum())) / (1 + len(as_much))
