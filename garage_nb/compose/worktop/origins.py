"""Origins: what stands at each place of a result, in words, and whether that is the user's doing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...registry.part_spec import PartType
from ..layout.ingredients import Ingredient, Taken
from ..layout.layout import Layout, Occupant, names_inside


@dataclass(frozen=True)
class Origin:
    """`words` are empty where the base's own part stands in its own place."""

    words: str = ""
    changed: bool = False


def origins(layout: Layout) -> dict[str, Origin]:
    """By place. A layer that only moved for another is not changed; one that comes a second time or too early is."""
    changed = dict(_blocks(layout))
    return {place: _origin(layout, place, changed) for place in layout.spec.parts}


def _blocks(layout: Layout) -> Iterator[tuple[int, bool]]:
    """By layer of the result, whether its block is the user's doing."""
    highest = -1
    for part in layout.spec.of_type(PartType.FULL_LAYER):
        place = layout.spec.name(f"layer_{part.layer_idx}")
        who, layer = layout.occupants[place], part.layer_idx or 0
        theirs = who.part.layer_idx or 0
        yield layer, who.donor is not layout.base or theirs <= highest
        highest = max(highest, theirs) if who.donor is layout.base else highest


def _origin(layout: Layout, place: str, changed: Mapping[int, bool]) -> Origin:
    """By its weights, for a graft around it tells on it too; a layer is what it was before anything in it changed."""
    stitch = layout.stitches.get(place)
    if stitch is not None:
        return Origin(f"adapted {stitch.guest}", True)
    whole = layout.spec.part(place).part_type is PartType.FULL_LAYER
    sewn: frozenset[str] = _sewn(layout) if whole else frozenset()
    sources = [found for name, found in _named(layout, place) if name not in sewn]
    if not all(isinstance(found, Taken) for found in sources):
        return Origin("blended", True)
    who = _whose(layout, place, [found for found in sources if isinstance(found, Taken) and not whole])
    if who is None:
        return Origin("of several", True)
    own = who.donor is layout.base and who.name == place
    return Origin("" if own else str(who), not own and _is_new(layout, place, who, changed))


def _named(layout: Layout, place: str) -> Iterator[tuple[str, Ingredient]]:
    """What stands at a place, by the names in the result."""
    for _, name in names_inside(layout.spec.part(place), layout.tensors):
        yield name, layout.tensors[name]


def _sewn(layout: Layout) -> frozenset[str]:
    """Names of tensors in the result that adapters were worked into."""
    return frozenset(name for place in layout.stitches for name, _ in _named(layout, place))


def _is_new(layout: Layout, place: str, who: Occupant, changed: Mapping[int, bool]) -> bool:
    """Not where it came with its block, and that is the base's own in its order."""
    layer = layout.spec.part(place).layer_idx
    if layer is None:
        return True
    block = layout.occupants[layout.spec.name(f"layer_{layer}")]
    return changed[layer] or who.donor is not block.donor or who.part.layer_idx != block.part.layer_idx


def _whose(layout: Layout, place: str, taken: list[Taken]) -> Occupant | None:
    """The part of one donor that all of these weights are; None where they are of several."""
    first = layout.occupants[place]
    if not taken:
        return first
    donor, kind = taken[0].donor, first.part.part_type
    names = dict.fromkeys(found.name for found in taken if found.donor is donor)
    others = [Occupant(donor, name) for name, part in donor.spec.parts.items() if part.part_type is kind]
    for who in (first, *others):
        if who.donor is donor and len(names) == len(taken) == sum(1 for _ in names_inside(who.part, names)):
            return who
    return None
