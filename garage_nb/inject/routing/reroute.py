"""Reroute: other ways to choose, of the same number of experts for every token: what a router is measured against."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ...core.seed import seeded
from ...core.sites import Write, Writer, everywhere
from ...errors import EditError
from ...registry.routes import route_of
from ...registry.specs import ModelSpec
from ..edit import OPTION, Edit, said
from ..place import Place, place_of

WAYS = ("uniform", "random", "anti")


@dataclass(frozen=True, eq=False)
class Reroute(Edit):
    """For every token

    =======  ==============================================================================================
    uniform  the router's own choice, but the chosen share its whole weight equally
    random   the router's logits are dealt out to the experts by chance, by `seed`
    anti     the router's logits in reverse: the expert with the lowest is given the highest, and so on
    =======  ==============================================================================================

    From logits on the family's own formula goes on, so random and anti give weights as uneven as the router's own.
    """

    how: str
    seed: int = field(default=0, metadata=OPTION)

    def __post_init__(self) -> None:
        if self.how not in WAYS:
            raise EditError(f"There is no way {said(self.how)} to reroute.", f"There are: {', '.join(WAYS)}.")
        seeded(self.seed)
        super().__post_init__()

    def tap(self, spec: ModelSpec) -> Write:
        route, place = route_of(spec, self.at), place_of(spec, self.at)
        if self.how == "uniform":
            place = replace(place, site=route.at)
        elif not place.routes:
            raise EditError(f"{place.name} chooses no experts itself.", f"Name its router: {route.gate or 'gate_3'}.")
        return Write(place.site, self.writer(place), str(self), self.tokens, self)

    def writer(self, place: Place) -> Writer:
        if self.how == "uniform":
            return everywhere(_equal)
        if self.how == "anti":
            return everywhere(_reversed)
        generator = seeded(self.seed)
        return everywhere(lambda logits: _dealt(logits, generator))


def _equal(weights: Tensor) -> Tensor:
    chosen = weights != 0
    each = weights.sum(1, keepdim=True) / chosen.sum(1, keepdim=True).clamp(min=1)
    return each.where(chosen, 0)


def _reversed(logits: Tensor) -> Tensor:
    ranked, experts = logits.sort(-1)
    return torch.empty_like(logits).scatter(-1, experts, ranked.flip(-1))


def _dealt(logits: Tensor, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(logits.shape, generator=generator).argsort(-1)
    return logits.gather(-1, drawn.to(logits.device))
