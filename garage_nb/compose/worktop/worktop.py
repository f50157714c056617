"""Worktop: the grafts of a sheet under the hand: a part dropped on a place, taken out again, and steps to take back."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import groupby

from ...core.parts import parse
from ...errors import BuildError, shortened
from ...registry.specs import ModelSpec
from ..graft import Graft, Stack, Swap
from ..layout.grafting import grafted
from ..layout.layout import Layout
from ..ref import Ref
from .stacking import Donors, Grafts, blocks_of, inserted, removed, repeated, unstacked

GAP = re.compile(r"gap_(\d{1,6})")  # `gap_3` is between layer_2 and layer_3: what is dropped there becomes layer_3


@dataclass(frozen=True)
class Worktop:
    """A value; every move is a new worktop. It holds no model: the donors, by their names on the sheet and the base
    under no name, come with each move. A part that is picked up from the result itself has no donor.
    """

    grafts: Grafts = ()
    past: tuple[Grafts, ...] = ()
    future: tuple[Grafts, ...] = ()

    def to(self, grafts: Grafts) -> Worktop:
        return self if grafts == self.grafts else Worktop(grafts, (*self.past, self.grafts))

    def dropped(self, part: Ref, at: str, donors: Donors) -> Worktop:
        """With a part in a place of the result, or a layer in a gap. BuildError where it does not fit."""
        gap = GAP.fullmatch(at)
        if gap is not None:
            return self.to(self._stacked(part, int(gap[1]), donors))
        others = tuple(graft for graft in self.grafts if not _is_covered(graft, at))
        return self.to((*others, swap_that_fits(part, at, laid(others, donors), donors)))

    def without_layer(self, layer: int, donors: Donors) -> Worktop:
        return self.to(removed(self.grafts, donors, layer))

    def without(self, graft: int, donors: Donors) -> Worktop:
        """Without one graft, counted from 0; with a stack go the swaps in layers that go with it."""
        if not 0 <= graft < len(self.grafts):
            raise BuildError(f"There is no graft number {graft}.", f"There are {len(self.grafts)}, counted from 0.")
        if isinstance(self.grafts[graft], Stack):
            return self.to(unstacked(self.grafts, donors))
        return self.to((*self.grafts[:graft], *self.grafts[graft + 1 :]))

    def without_donor(self, name: str) -> Worktop:
        """With no step to take back that names this donor. BuildError where a graft that stands does."""
        user = next((graft for graft in self.grafts if _names(graft, name)), None)
        if user is not None:
            raise BuildError(f"{name} is still needed: {user}.", "Take that graft out first.")
        past, future = _unnamed((*self.past, self.grafts), name), _unnamed((self.grafts, *self.future), name)
        return Worktop(self.grafts, past[:-1], future[1:])

    def undo(self) -> Worktop:
        if not self.past:
            raise BuildError("There is nothing to undo.", "Drop a part on the result first.")
        return Worktop(self.past[-1], self.past[:-1], (self.grafts, *self.future))

    def redo(self) -> Worktop:
        if not self.future:
            raise BuildError("There is nothing to redo.", "Redo brings back what undo just took away.")
        return Worktop(self.future[0], (*self.past, self.grafts), self.future[1:])

    def _stacked(self, part: Ref, gap: int, donors: Donors) -> Grafts:
        count = len(blocks_of(self.grafts, donors))
        layer = _layer_of(part, spec_of(part, laid(self.grafts, donors), donors))
        if gap > count:
            raise BuildError(f"There is no gap_{gap}.", f"The result has {count} layers, so gaps 0 to {count}.")
        if part.donor:
            grafts = inserted(self.grafts, donors, gap, (part.donor, layer))
        else:
            grafts = repeated(self.grafts, donors, gap, layer)
        for stack in grafts:
            if isinstance(stack, Stack):
                grafted(stack, Layout.of(donors[""]), donors)
        return grafts


def laid(grafts: Grafts, donors: Donors) -> Layout:
    """The base with these grafts; one that is refused leaves it as it was, as in `check`."""
    layout = Layout.of(donors[""])
    for graft in grafts:
        try:
            layout = grafted(graft, layout, donors)
        except (BuildError, LookupError):
            continue
    return layout


def spec_of(part: Ref, layout: Layout, donors: Donors) -> ModelSpec:
    """What names the part: its donor, or the result. BuildError for a donor that is not there."""
    if part.donor and part.donor not in donors:
        there = shortened([name for name in donors if name]) or "none"
        raise BuildError(f"There is no donor {part.donor!r}.", f"There are: {there}.")
    return donors[part.donor].spec if part.donor else layout.spec


def swap_that_fits(part: Ref, at: str, layout: Layout, donors: Donors) -> Swap:
    """With an adapter where it needs one. BuildError where there is none, naming both sides."""
    if not part.donor:
        raise BuildError(f"{part.parts} of the result goes between layers only.", "Pick up a part of a donor.")
    swap = Swap(layout.spec.name(at), Ref(part.donor, spec_of(part, layout, donors).name(part.parts)))
    try:
        grafted(swap, layout, donors)
    except BuildError:
        joined = replace(swap, adapter="untrained")
        if not _becomes_weights(joined, layout, donors):
            raise
        return joined
    return swap


def _becomes_weights(swap: Swap, layout: Layout, donors: Donors) -> bool:
    """Whether its adapter can be worked into the part: a module of its own would be no model of transformers."""
    try:
        return not grafted(swap, layout, donors).stitches[swap.at].why_not
    except BuildError:
        return False


def _layer_of(part: Ref, spec: ModelSpec) -> int:
    name = spec.name(part.parts)
    address = parse(name)
    if address is None or address.kind != "layer" or address.layer is None:
        raise BuildError(f"{name} is no whole layer.", "Only layers go between layers; drop it on a place of its kind.")
    return address.layer


def _names(graft: Graft, donor: str) -> bool:
    return any(ref.donor == donor for ref in graft.refs)


def _unnamed(steps: tuple[Grafts, ...], donor: str) -> tuple[Grafts, ...]:
    """The steps without those that name the donor, and without any that would change nothing then."""
    kept = (grafts for grafts in steps if not any(_names(graft, donor) for graft in grafts))
    return tuple(grafts for grafts, _ in groupby(kept))


def _is_covered(graft: Graft, place: str) -> bool:
    """Whether nothing of a swap would be left once another part takes the place."""
    address, there = parse(place), parse(graft.at) if isinstance(graft, Swap) else None
    if address is None or there is None:
        return False
    return address == there or (address.kind == "layer" and there.layer == address.layer is not None)
