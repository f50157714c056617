"""Routes: where tokens are sent to experts, by the name of the router or of the half that it stands in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..core.parts import Part, parse
from ..core.sites import Site
from ..errors import EditError
from .specs import ModelSpec


@dataclass(frozen=True)
class Route:
    """`per_token` experts of `experts` answer for a token. `at` is where they are told by how much each counts.

    `gate` is the router's name; empty where it is no module of its own.
    """

    ffn: str
    gate: str
    experts: int
    per_token: int
    at: Site


def route_of(spec: ModelSpec, at: str) -> Route:
    """Of `gate_3` or `ffn_3`. UnknownPartError for what is not there, EditError for what sends tokens to no experts."""
    name = spec.name(at)
    address = parse(name)
    found = _route(spec, address.whole) if address is not None and address.kind in ("gate", "ffn") else None
    if found is None:
        raise EditError(f"{name} sends no tokens to experts that share a module.", _instead(spec))
    return found


def routes(spec: ModelSpec) -> list[Route]:
    """From the input to the output."""
    addresses = (parse(name) for name in spec.parts)
    found = (_route(spec, address) for address in addresses if address is not None and address.kind == "ffn")
    return [route for route in found if route is not None]


def _route(spec: ModelSpec, part: Part) -> Route | None:
    ffn, gate = (str(replace(part, kind=kind)) for kind in ("ffn", "gate"))
    half = spec.parts.get(ffn)
    if half is None or not half.count_of("experts"):
        return None
    info = half.extra_info
    site = Site(info["experts"], "routing", info.get("turn"), stack=part.stack)
    known = gate if gate in spec.parts else ""
    return Route(ffn, known, info["num_experts"], info["experts_per_token"], site)


def _instead(spec: ModelSpec) -> str:
    known = [route.gate or route.ffn for route in routes(spec)]
    return f"Name one that does: {', '.join(known[:4])}." if known else "This model has none that do."
