"""Place: what an edit is told of where it acts, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..core.parts import Part, parse
from ..core.places import demand_writable
from ..core.sites import Site
from ..registry.part_spec import PartSpec, PartType
from ..registry.specs import ModelSpec

_OF_ANOTHER_WIDTH = {"q", "k", "v", "pattern", "choices"}


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
    return Place(name, site, _width(address, part), units)


def _width(address: Part, part: PartSpec) -> int | None:
    if address.unit == "neuron":
        return 1
    if address.unit == "neurons":
        return part.intermediate_dim
    if address.unit == "head":
        return part.head_dim
    if address.unit == "heads":
        return None if part.num_heads is None or part.head_dim is None else part.num_heads * part.head_dim
    return None if address.unit in _OF_ANOTHER_WIDTH else part.output_dim
