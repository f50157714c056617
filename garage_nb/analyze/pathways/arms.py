"""Arms: ways to say which neurons of a part stay, as many in each; what a choice for the domain must beat.

own         the largest effects on the domain itself, as the choosing half has them
global      the largest mean effects on all domains
other       the largest effects on another domain; the mean over some, drawn by the seed
random      drawn; the mean over several draws
magnitude   the largest mean |a| · norm of the neuron's column, on the domain (Wanda's measure, of whole neurons: Sun et
            al., "A Simple and Effective Pruning Approach for Large Language Models", 2023)
contextual  the largest |a| · norm of each token by itself, which is seen only after all of them were computed
            ("contextual sparsity": Liu et al., "Deja Vu", 2023, guess it)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.seed import spawned
from ...inject.edit import Edit
from ...inject.edits import Through
from .activity import Activity
from .effects import Effects, Fills
from .keeping import counted, kept, masks

OWN, DRAWS = "own", 3  # of random neurons, and of other domains
Scores = Mapping[str, Float[Tensor, " neurons"]]
Ways = list[list[Edit]]  # several draws of one arm


@dataclass(frozen=True, eq=False, kw_only=True)
class Grounds:
    """What the choosing half tells, by part. `means` are there to fill with, `reach` is the norm of each column."""

    effects: Mapping[str, Effects]
    active: Mapping[str, Activity]
    reach: Scores
    fill: str
    domains: int
    seed: int

    @property
    def fills(self) -> Fills:
        return {name: one.mean for name, one in self.active.items()} if self.fill == "mean" else {}

    @property
    def refilled(self) -> Grounds:
        """With the other fill."""
        return replace(self, fill="zero" if self.fill == "mean" else "mean")


def arms(grounds: Grounds) -> dict[str, Callable[[Grounds, int, float], Ways]]:
    """By name, from a domain and a share. With a single domain there is no other."""
    several = {"global": _global, "other": _other} if grounds.domains > 1 else {}
    refilled = "own, means" if grounds.fill == "zero" else "own, zeros"
    return {
        OWN: _own,
        refilled: lambda found, domain, share: _own(found.refilled, domain, share),
        **several,
        "random": _random,
        "magnitude": _magnitude,
        "contextual": _contextual,
    }


def _own(grounds: Grounds, domain: int, share: float) -> Ways:
    return [_masked(grounds, {name: one.size[domain] for name, one in grounds.effects.items()}, share)]


def _global(grounds: Grounds, domain: int, share: float) -> Ways:
    return [_masked(grounds, {name: one.size.mean(0) for name, one in grounds.effects.items()}, share)]


def _other(grounds: Grounds, domain: int, share: float) -> Ways:
    """The same ones at every share."""
    order = torch.randperm(grounds.domains - 1, generator=spawned(grounds.seed, "other", domain))[:DRAWS]
    return [_own(grounds, other + (other >= domain), share)[0] for other in order.tolist()]


def _random(grounds: Grounds, domain: int, share: float) -> Ways:
    """Those of a smaller share are among those of a larger one."""
    generator = spawned(grounds.seed, "random", domain)
    drawn = [
        {name: torch.rand(len(one), generator=generator) for name, one in grounds.reach.items()} for _ in range(DRAWS)
    ]
    return [_masked(grounds, one, share) for one in drawn]


def _magnitude(grounds: Grounds, domain: int, share: float) -> Ways:
    scores = {name: one.size[domain] * grounds.reach[name] for name, one in grounds.active.items()}
    return [_masked(grounds, scores, share)]


def _contextual(grounds: Grounds, domain: int, share: float) -> Ways:
    writers = {name: _largest(one, share, grounds.fills.get(name)) for name, one in grounds.reach.items()}
    return [[Through(f"{name}.neurons", writer) for name, writer in writers.items()]]


def _masked(grounds: Grounds, scores: Scores, share: float) -> list[Edit]:
    return list(masks(kept(scores, share), grounds.fills))


def _largest(reach: Tensor, share: float, fill: Tensor | None) -> Callable[[Tensor], Tensor]:
    count = counted(len(reach), share)

    def write(hidden: Tensor) -> Tensor:
        places = (hidden.abs() * reach.to(hidden)).topk(count, dim=-1, sorted=False).indices
        stays = torch.zeros_like(hidden, dtype=torch.bool).scatter(-1, places, True)
        return hidden.where(stays, 0 if fill is None else fill.to(hidden))

    return write
