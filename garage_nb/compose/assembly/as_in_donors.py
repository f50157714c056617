"""As in donors: every block and every half that was taken whole gives in the hybrid what it gives in its donor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

from torch import Tensor, nn

from ...core.batch import probe
from ...core.run import read
from ...core.sites import Read, Site
from ...registry.part_spec import PartSpec, PartType
from ..layout.ingredients import Taken
from ..layout.layout import Layout, names_inside
from .at_home import given_at_home, keep, way_out
from .proof import Proof, allowed, difference

_HALVES = ("attention", "mixer", "cross_attention", "ffn")


def as_in_donors(model: nn.Module, layout: Layout) -> Proof:
    """The state that enters a part in the hybrid is put before it in the donor, and what leaves both is compared.

    A part whose work depends on its number (a scale by layer, a window) and moved to another shows here.
    """
    claim, places = "parts as in their donors", list(_places(layout))
    if not places:
        return Proof(claim, None, "no block or half was taken whole")
    judged = [(place, difference(there, here), allowed(there)) for place, there, here in _both(model, layout, places)]
    unlike = [place for place, off, most in judged if off > most]
    if unlike:
        return Proof(claim, False, f"{', '.join(unlike[:3])} of {len(places)} parts give something else there")
    most = max(off for _, off, _ in judged)
    same = "the same bit for bit" if most == 0 else f"the same but for rounding, {most:.2g} at most"
    return Proof(claim, True, f"all {len(places)} give {same}")


def through_adapters(model: nn.Module, layout: Layout) -> Proof:
    """What a guest gives at its place, beside what it gives at home for states that passed the map there."""
    stitches = list(layout.stitches.values())
    places = [layout.spec.part(stitch.place) for stitch in stitches]
    off, most = 0.0, math.inf
    for stitch, (entered, left) in zip(stitches, _passing(model, places), strict=True):
        maps, x = stitch.maps, entered.double()
        came = x @ maps.into.to(x) + maps.shift.to(x)
        (gave,) = given_at_home(stitch.guest.donor.model, [(stitch.guest.part, came.to(entered))])
        stream = stitch.guest.part.part_type is PartType.FULL_LAYER
        expected = x + (gave.double() - came) @ maps.out.to(x) if stream else gave.double() @ maps.out.to(x)
        off, most = max(off, difference(left.double(), expected)), min(most, allowed(left))
    found = f"all {len(stitches)} give what they give at home; differ by {off:.2g} at most, {most:.2g} is allowed"
    return Proof("guests as in their donors", off <= most, found)


def _places(layout: Layout) -> Iterator[str]:
    """Blocks that are whole, and of the others the halves that are."""
    whole = {place for place in layout.occupants if _is_intact(layout, place)}
    for place, occupant in layout.occupants.items():
        kind, layer = occupant.part.part_type.value, layout.spec.parts[place].layer_idx
        runs = occupant.donor.lifted is not None and not occupant.part.unavailable
        if place in whole and runs and (kind == "full_layer" or (kind in _HALVES and f"layer_{layer}" not in whole)):
            yield place


def _is_intact(layout: Layout, place: str) -> bool:
    occupant = layout.occupants[place]
    theirs = dict(names_inside(occupant.part, occupant.donor.tensors))
    own = dict(names_inside(layout.spec.parts[place], layout.tensors))
    return not any(map(layout.is_apart, own.values())) and all(
        isinstance(found, Taken) and found.donor is occupant.donor and found.name == theirs.get(inner)
        for inner, found in layout.at(place).items()
    )


def _both(model: nn.Module, layout: Layout, places: list[str]) -> Iterator[tuple[str, Tensor, Tensor]]:
    """(place, what its donor gives, what it gives here)."""
    passed = dict(zip(places, _passing(model, [layout.spec.parts[place] for place in places]), strict=True))
    for donor in {id(who.donor): who.donor for who in map(layout.occupants.__getitem__, places)}.values():
        own = [place for place in places if layout.occupants[place].donor is donor]
        entered = [(layout.occupants[place].part, passed[place][0]) for place in own]
        for place, there in zip(own, given_at_home(donor.model, entered), strict=True):
            yield place, there, passed[place][1]


def _passing(model: nn.Module, parts: list[PartSpec]) -> list[tuple[Tensor, Tensor]]:
    seen: dict[Site, Tensor] = {}
    sites = {site for part in parts for site in (Site(part.module_path, "input"), way_out(part))}
    read(model, probe(model), [Read(site, partial(keep, seen, site)) for site in sites])
    return [(seen[Site(part.module_path, "input")], seen[way_out(part)]) for part in parts]
