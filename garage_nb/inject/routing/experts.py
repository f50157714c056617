"""Experts: which of them a router may choose; it then chooses and weighs by its family's own formula.

"Expert ablation" of those that it may not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from ...core.choice import barred
from ...core.sites import Write, Writer, everywhere
from ...errors import EditError
from ...registry.routes import route_of
from ...registry.specs import ModelSpec
from ..edit import OPTION, Edit
from ..mask import Numbers, numbers_in
from ..place import Place, place_of


@dataclass(frozen=True, eq=False)
class Experts(Edit):
    """Experts in `drop`, or all that are not in `keep`, are never chosen: the top-k is done without them.

    As many as ever answer for a token, and their weights are what the family's formula makes of the logits as if the
    others were not there. With as many kept as answer for a token, those do for every token: a forced set. Numbers are
    counted from 0, negative ones from the end: `0,-1`, `4:8`. EditError in the run where a router that chooses among
    groups is left too few.
    """

    keep: Numbers = field(default=None, metadata=OPTION)
    drop: Numbers = field(default=None, metadata=OPTION)

    def __post_init__(self) -> None:
        if (self.keep is None) == (self.drop is None):
            raise EditError("Say either which experts are kept or which are dropped.", "Give one of them: --drop 0,3.")
        for name in ("keep", "drop"):
            if (value := getattr(self, name)) is not None:
                self._set(name, numbers_in(value))
        super().__post_init__()

    def tap(self, spec: ModelSpec) -> Write:
        route, place = route_of(spec, self.at), place_of(spec, self.at)
        if not place.routes:
            raise EditError(f"{place.name} chooses no experts itself.", f"Name its router: {route.gate or 'gate_3'}.")
        left = len(self.kept(route.experts))
        if left < route.per_token:
            raise EditError(
                f"{left} of {route.experts} experts are left at {place.name}; {route.per_token} answer for a token.",
                f"Leave {route.per_token} or more; to send all tokens to one expert: isolate {place.name} 0.",
            )
        return super().tap(spec)

    def writer(self, place: Place) -> Writer:
        kept = torch.zeros(place.width or 0, dtype=torch.bool)
        kept[list(self.kept(len(kept)))] = True
        return everywhere(lambda logits: logits.masked_fill(~kept.to(logits.device), barred(logits.dtype)))

    def kept(self, experts: int) -> tuple[int, ...]:
        """Of so many. EditError for one that is not there."""
        named = numbers_in(self.keep if self.keep is not None else self.drop)  # type: ignore[arg-type]
        if wrong := [number for number in named if not -experts <= number < experts]:
            raise EditError(f"There is no expert {wrong[0]}.", f"They go from 0 to {experts - 1}.")
        told = {number % experts for number in named}
        return tuple(expert for expert in range(experts) if (expert in told) == (self.keep is not None))
