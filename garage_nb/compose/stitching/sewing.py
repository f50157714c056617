"""Sewing: a guest put at a place of a layout with maps around it."""

from __future__ import annotations

from dataclasses import replace

from ...errors import BuildError
from ...registry.part_spec import PartType
from ..graft import Adapter
from ..layout.layout import Layout, Occupant
from .into_weights import mapped, why_not
from .stitch import Stitch

_SEWN = (PartType.ATTENTION, PartType.FFN, PartType.MIXER, PartType.FULL_LAYER)


def stitched(layout: Layout, place: str, guest: Occupant, host: Occupant, adapter: Adapter) -> Layout:
    """As weights of the place where that gives the same, else as a module of its own. BuildError for other parts."""
    kinds = {guest.part.part_type, host.part.part_type}
    if len(kinds) > 1 or not kinds <= set(_SEWN):
        raise BuildError(
            f"{guest} cannot be joined by an adapter in the place of {host}.",
            "Adapters join an attention, an ffn, a mixer or a whole layer to another of its kind.",
        )
    for who in (guest, host):
        _ = who.donor.whole  # adapters join models: what enters a part, and what leaves its layer
    if place in layout.stitches:
        raise BuildError(
            f"{layout.stitches[place].guest} stands with adapters at {place} already.", "Name one guest for a place."
        )
    there = layout.at(place)
    stitch = Stitch(place, guest, host, adapter, layout.texts, why_not(guest, host, there))
    if stitch.why_not:
        demand_plain(host)
    return sewn(layout, stitch)


def sewn(layout: Layout, stitch: Stitch) -> Layout:
    """With the maps of the stitch in the weights of its place, where they can be."""
    if not stitch.why_not:
        layout = layout.having(stitch.place, stitch.guest, mapped(stitch, layout.at(stitch.place)))
    path = layout.spec.part(stitch.place).module_path
    others = {at: found for at, found in layout.stitches.items() if not _is_inside(layout, at, path)}
    return replace(layout, stitches={**others, stitch.place: stitch})


def _is_inside(layout: Layout, place: str, path: str) -> bool:
    return layout.spec.part(place).module_path.startswith(f"{path}.")


def demand_no_guest_around(layout: Layout, place: str) -> None:
    """BuildError for a place in a guest that is a module of its own."""
    if layout.is_apart(layout.spec.part(place).module_path.rpartition(".")[0]):
        raise BuildError(f"{place} is inside a guest with adapters.", "Name the whole of it, or leave that graft out.")


def demand_plain(host: Occupant) -> None:
    """A module in the place of a half answers with what the half adds; Bloom's own answer with the stream as well."""
    path = host.part.module_path
    if host.part.read_at.startswith(f"{path}."):
        raise BuildError(
            f"{host} gives more than what it adds, and a guest cannot do so in its place.", "Swap the whole layer."
        )
