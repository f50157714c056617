"""Place: what an edit is told of where it acts, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..core.parts import parse
from ..core.places import demand_writable
from ..core.sites import Site
from ..registry.part_spec import PartType
from ..registry.room import width_of
from ..registry.specs import ModelSpec


@dataclass(frozen=True)
class Place:
    """`width` is that of the hidden states there, None for a module that is no part; `units` how many heads or neurons
    stand side by side in it, 0 where there are none. `routes`: the hidden states are a router's logits.
    """

    name: str
    site: Site
    width: int | None = None
    units: int = 0
    routes: bool = False


def place_of(spec: ModelSpec, at: str) -> Place:
    """UnknownPartError for a place the model does not have, UnavailablePartError and EditError for one that cannot be
    changed.
    """
    name = spec.name(at)
    address, site = parse(name), spec.site(name)
    demand_writable(site.side, name)
    if address is None:
        return Place(name, site)
    part = spec.parts[str(address.whole)]
    if part.part_type is PartType.GATE and address.unit is None:
        return Place(name, replace(site, side="choice"), part.output_dim, routes=True)
    units = part.count_of(address.unit) or 0 if address.unit in ("heads", "neurons") else 0
    return Place(name, site, width_of(address, part), units)
