"""Pairing: places of the result with parts of a donor, one to one and in the order they are named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...core.parts import parse
from ...errors import BuildError
from ...registry.specs import ModelSpec
from ..ref import Ref
from .donors import Donor
from .ends import places_of
from .layout import Layout


def paired(layout: Layout, at: str, ref: Ref, donors: Mapping[str, Donor]) -> list[tuple[str, str]]:
    """(place in the result, name in the donor). A reference without parts means the same places there."""
    donor, places = donors[ref.donor], places_of(layout, at)
    said = ref.parts or donor.only
    names = named(said, donor) if said else [donor.spec.name(place) for place in places]
    if len(names) != len(places):
        raise BuildError(
            f"{at} names {_some(places)} of the result, and {ref} {_some(names)} of {donor.name}.",
            "Name as many in the one as in the other.",
        )
    demand_whole(places, layout.spec)
    demand_whole(names, donor.spec, "Take out" if donor.only and not ref.parts else "Name")
    return list(zip(places, names, strict=True))


def named(parts: str, donor: Donor) -> list[str]:
    """As often and in the order they are named: 0,0,1."""
    return [name for text in parts.split(",") for name in donor.spec.select(text)]


def demand_whole(names: Iterable[str], spec: ModelSpec, do: str = "Name") -> None:
    """BuildError for a head, neurons or a module inside a part: their weights are rows of the part's."""
    for name in names:
        if name in spec.parts:
            continue
        whole = _around(name, spec)
        raise BuildError(
            f"{name} is {f'inside {whole}' if whole else 'no part'}, and grafts put whole parts in place.",
            f"{do} {whole or 'a layer, an attention, an ffn, a norm, the embedding or the head'}.",
        )


def _around(name: str, spec: ModelSpec) -> str:
    """The smallest part that a unit, a point or a module belongs to; empty for none."""
    address = parse(name)
    if address is not None:
        return str(address.whole) if str(address.whole) in spec.parts else ""
    around = [part for part, known in spec.parts.items() if name.startswith(f"{known.module_path}.")]
    return max(around, key=lambda part: len(spec.parts[part].module_path), default="")


def _some(names: list[str]) -> str:
    return f"{len(names)} part" + ("" if len(names) == 1 else "s")
