"""Grafting: what each graft makes of a layout. Everything is checked here, before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import singledispatch

from ...errors import BuildError
from ..graft import Adapt, Graft, Merge, Stack, Swap
from ..peft.adapter import adapter_in
from ..peft.fit import demand_fit as demand_adapter
from ..stitching.sewing import demand_no_guest_around, stitched
from .blocks import stacked
from .configs import with_attention
from .donors import Donor
from .fitting import demand_fit, sees_as_another
from .ingredients import Taken
from .layout import Layout, Occupant, names_inside
from .merging import merged
from .pairing import paired
from .whole import empty, finished

Donors = Mapping[str, Donor]


@singledispatch
def grafted(graft: Graft, layout: Layout, donors: Donors) -> Layout:
    """The layout with this graft in it. BuildError where it does not fit."""
    raise TypeError(f"{graft!r} is no graft")


@grafted.register
def _(graft: Stack, layout: Layout, donors: Donors) -> Layout:
    return stacked(layout, graft, donors)


@grafted.register
def _(graft: Merge, layout: Layout, donors: Donors) -> Layout:
    return merged(layout, graft, donors)


@grafted.register
def _(graft: Swap, layout: Layout, donors: Donors) -> Layout:
    for place, name in paired(layout, graft.at, graft.source, donors):
        demand_no_guest_around(layout, place)
        guest, host = Occupant(donors[graft.source.donor], name), layout.occupants[place]
        if graft.adapter != "none":
            layout = stitched(layout, place, guest, host, graft.adapter)
            continue
        demand_fit(guest, host)
        if sees_as_another(guest, host):
            layout = _seeing(layout, place, guest)
        layout = layout.having(place, guest, _brought(guest, host, layout.at(place)))
    return layout


@grafted.register
def _(graft: Adapt, layout: Layout, donors: Donors) -> Layout:
    demand_adapter(adapter_in(graft.folder), empty(finished(layout)))
    return replace(layout, adapts=(*layout.adapts, graft))


def _seeing(layout: Layout, place: str, guest: Occupant) -> Layout:
    layer, theirs = layout.spec.parts[place].layer_idx, guest.part.layer_idx
    if layer is None or theirs is None:
        return layout
    return replace(layout, config=with_attention(layout.config, layer, guest.donor, theirs))


def _brought(guest: Occupant, host: Occupant, there: Mapping[str, object]) -> dict[str, Taken]:
    """The guest's tensors by the names they have inside it. BuildError where these are others than the host's."""
    donor = guest.donor
    found = {inner: Taken(donor, name) for inner, name in names_inside(guest.part, donor.tensors)}
    if unlike := found.keys() ^ there.keys():
        raise BuildError(f"{guest} has other weights than {host}: {sorted(unlike)[0]}.", "Swap parts of one kind.")
    return found
