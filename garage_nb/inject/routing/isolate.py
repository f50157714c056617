"""Isolate: every token to one expert ("forced routing")."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.sites import Write, Writer, everywhere
from ...errors import EditError
from ...registry.routes import route_of
from ...registry.specs import ModelSpec
from ..edit import Edit, said
from ..place import Place


@dataclass(frozen=True, eq=False)
class Isolate(Edit):
    """All tokens go to one expert, with weight 1, and to no other; the router is not asked.

    A large logit would do less: the top-k then still brings in others. `at` is `gate_3` or `ffn_3`. What stands beside
    the experts, a shared one, still adds its own.
    """

    expert: int

    def __post_init__(self) -> None:
        if not isinstance(self.expert, int) or isinstance(self.expert, bool):
            raise EditError(f"{said(self.expert)} is no expert.", "Give its number, counted from 0.")
        super().__post_init__()

    def tap(self, spec: ModelSpec) -> Write:
        route = route_of(spec, self.at)
        place = Place(route.gate or route.ffn, route.at, route.experts)
        return Write(route.at, self.writer(place), str(self), self.tokens, self)

    def writer(self, place: Place) -> Writer:
        experts = place.width or 0
        if not -experts <= self.expert < experts:
            raise EditError(f"There is no expert {self.expert} at {place.name}.", f"They go from 0 to {experts - 1}.")

        def alone(weights: Tensor) -> Tensor:
            mine = torch.zeros_like(weights)
            mine[:, self.expert] = 1
            return mine

        return everywhere(alone)
