"""As in donors: every block and every half that was taken whole gives in the hybrid what it gives in its donor."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

from torch import Tensor, nn

from ...registry.part_spec import PartType
from ..layout.ingredients import Taken
from ..layout.layout import Layout, names_inside
from .at_home import given_at_home
from .passage import Passage, passed
from .proof import Proof, allowed, difference

_BLOCK = {PartType.FULL_LAYER}
_HALVES = {PartType.ATTENTION, PartType.MIXER, PartType.CROSS_ATTENTION, PartType.FFN}


def as_in_donors(passage: Passage, layout: Layout) -> Proof:
    """The state that enters a part in the hybrid is put before it in the donor, and what leaves both is compared.

    A part whose work depends on its number (a scale by layer, a window) and moved to another shows here.
    """
    claim = "parts as in their donors"
    judged = [(place, difference(there, here), allowed(there)) for place, there, here in _both(passage, layout)]
    if not judged:
        return Proof(claim, None, "no block or half was taken whole")
    unlike = [place for place, off, most in judged if off > most]
    if unlike:
        return Proof(claim, False, f"{', '.join(unlike[:3])} of {len(judged)} parts give something else there")
    most = max(off for _, off, _ in judged)
    same = "the same bit for bit" if most == 0 else f"the same but for rounding, {most:.2g} at most"
    return Proof(claim, True, f"all {len(judged)} give {same}")


def through_adapters(model: nn.Module, layout: Layout) -> Proof:
    """What a guest gives at its place, beside what it gives at home for states that passed the map there."""
    stitches = list(layout.stitches.values())
    off, most, passage = 0.0, math.inf, passed(model, layout.spec, [stitch.place for stitch in stitches])
    for stitch in stitches:
        entered, left = passage.states[stitch.place]
        maps, x = stitch.maps, entered.double()
        came = x @ maps.into.to(x) + maps.shift.to(x)
        (gave,) = given_at_home(stitch.guest.donor.model, [(stitch.guest.part, came.to(entered))])
        stream = stitch.guest.part.part_type is PartType.FULL_LAYER
        expected = x + (gave.double() - came) @ maps.out.to(x) if stream else gave.double() @ maps.out.to(x)
        off, most = max(off, difference(left.double(), expected)), min(most, allowed(left))
    found = f"all {len(stitches)} give what they give at home; differ by {off:.2g} at most, {most:.2g} is allowed"
    return Proof("guests as in their donors", off <= most, found)


def taken_whole(layout: Layout) -> list[str]:
    """Places of the result: blocks that are a donor's, and of the others the halves that are."""
    blocks = [place for place in _of_kind(layout, _BLOCK) if _is_intact(layout, place)]
    whole = {layout.spec.parts[block].layer_idx for block in blocks}
    others = [half for half in _of_kind(layout, _HALVES) if layout.spec.parts[half].layer_idx not in whole]
    return [*blocks, *(half for half in others if _is_intact(layout, half))]


def _of_kind(layout: Layout, kinds: Collection[PartType]) -> list[str]:
    return [place for place, occupant in layout.occupants.items() if occupant.part.part_type in kinds]


def _is_intact(layout: Layout, place: str) -> bool:
    occupant = layout.occupants[place]
    if occupant.donor.lifted is None or occupant.part.unavailable:
        return False  # it cannot be run at home
    theirs = dict(names_inside(occupant.part, occupant.donor.tensors))
    own = dict(names_inside(layout.spec.parts[place], layout.tensors))
    return not any(map(layout.is_apart, own.values())) and all(
        isinstance(found, Taken) and found.donor is occupant.donor and found.name == theirs.get(inner)
        for inner, found in layout.at(place).items()
    )


def _both(passage: Passage, layout: Layout) -> Iterator[tuple[str, Tensor, Tensor]]:
    """(place, what its donor gives, what it gives here)."""
    occupied = {place: layout.occupants[place] for place in passage.states}
    for donor in {id(who.donor): who.donor for who in occupied.values()}.values():
        own = {place: who.part for place, who in occupied.items() if who.donor is donor}
        gave = given_at_home(donor.model, [(part, passage.states[place][0]) for place, part in own.items()])
        for place, there in zip(own, gave, strict=True):
            yield place, there, passage.states[place][1]
