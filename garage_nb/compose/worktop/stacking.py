"""Stacking: blocks put between others, repeated and taken away, and the other grafts renumbered with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from ...core.parts import parse
from ...errors import BuildError
from ..graft import BOTTOM, TOP, WHOLE, Adapt, Graft, Merge, Stack, Swap
from ..layout.blocks import layers_of
from ..layout.donors import Donor
from ..ref import Ref

Donors = Mapping[str, Donor]
Grafts = tuple[Graft, ...]
Block = tuple[str, int]  # a donor, empty for the base, and a layer of it
Moved = Callable[[int], Sequence[int]]  # where a layer of the result goes: nowhere, to one place, or to several


def own_blocks(donors: Donors) -> list[Block]:
    """Those of the base."""
    return [("", layer) for layer in range(donors[""].spec.num_layers)]


def blocks_of(grafts: Grafts, donors: Donors) -> list[Block]:
    """Of the result, bottom to top."""
    stack = next((graft for graft in reversed(grafts) if isinstance(graft, Stack)), None)
    if stack is None:
        return own_blocks(donors)
    return [(ref.donor, layer) for ref in stack.layers for layer in layers_of(ref, donors[ref.donor])]


def inserted(grafts: Grafts, donors: Donors, place: int, block: Block) -> Grafts:
    """With a block that becomes layer `place`."""
    blocks = blocks_of(grafts, donors)
    blocks.insert(place, block)
    return restacked(grafts, donors, blocks, lambda layer: [layer + (layer >= place)])


def repeated(grafts: Grafts, donors: Donors, place: int, layer: int) -> Grafts:
    """With a layer of the result once more, as layer `place`, and with what was swapped inside it."""
    blocks = blocks_of(grafts, donors)
    blocks.insert(place, blocks[layer])
    return restacked(
        grafts, donors, blocks, lambda old: [old + (old >= place), *([place] if old == layer else [])]
    )  # fmt: skip


def removed(grafts: Grafts, donors: Donors, layer: int) -> Grafts:
    """BuildError for a layer that is not there, and for the last one."""
    blocks = blocks_of(grafts, donors)
    if not 0 <= layer < len(blocks):
        raise BuildError(f"The result has no layer_{layer}.", f"It has {len(blocks)}, counted from 0.")
    if len(blocks) == 1:
        raise BuildError("This is the only layer of the result.", "Put another one in before you take it away.")
    del blocks[layer]
    return restacked(grafts, donors, blocks, lambda old: [] if old == layer else [old - (old > layer)])


def unstacked(grafts: Grafts, donors: Donors) -> Grafts:
    """With the base's own blocks; what was swapped in one of these stays in it."""
    blocks = blocks_of(grafts, donors)
    first = {block: place for place, block in reversed(list(enumerate(blocks)))}
    stays = {first[block]: [block[1]] for block in own_blocks(donors) if block in first}
    return restacked(grafts, donors, own_blocks(donors), lambda old: stays.get(old, []))


def restacked(grafts: Grafts, donors: Donors, blocks: Sequence[Block], moved: Moved) -> Grafts:
    """A stack of these blocks where the last one stood, or before all else; none where they are the base's own."""
    last = max((place for place, graft in enumerate(grafts) if isinstance(graft, Stack)), default=-1)
    before = tuple(graft for graft in grafts[: max(last, 0)] if not isinstance(graft, Stack))
    count = len(blocks_of(grafts, donors))
    after = tuple(again for graft in grafts[last + 1 :] for again in _moved(graft, moved, count))
    stack = () if list(blocks) == own_blocks(donors) else (Stack(tuple(_refs(blocks))),)
    return (*before, *stack, *after)


def _refs(blocks: Sequence[Block]) -> Iterator[Ref]:
    """Runs of one donor together: `0:3 b[2:4]`."""
    runs = groupby(enumerate(blocks), key=lambda pair: (pair[1][0], pair[1][1] - pair[0]))
    for (donor, _), run in runs:
        layers = [layer for _, (_, layer) in run]
        first, end = layers[0], layers[-1] + 1
        yield Ref(donor, str(first) if len(layers) == 1 else f"{first}:{end}")


def _moved(graft: Graft, moved: Moved, count: int) -> Iterator[Graft]:
    """The graft at the new number of its layer. BuildError for a selector, which would mean other places then."""
    if isinstance(graft, Stack):
        return
    if isinstance(graft, Adapt):
        yield graft
        return
    address = parse(graft.at)
    if graft.at in (BOTTOM, TOP, WHOLE) or (address is not None and address.layer is None):
        yield graft
    elif address is None or address.layer is None:
        raise BuildError(
            f"{graft} names its places by a selector, which would mean others once layers move.", "Take it out first."
        )
    else:
        for layer in moved(address.layer % count):
            yield _at(graft, str(address.at(layer)))


def _at(graft: Swap | Merge, place: str) -> Graft:
    """A source without parts means the same place in its donor, and that stays the one it was."""
    if isinstance(graft, Swap):
        return replace(graft, at=place, source=_named(graft.source, graft.at))
    return replace(graft, at=place, sources=tuple(_named(ref, graft.at) for ref in graft.sources))


def _named(ref: Ref, at: str) -> Ref:
    return ref if ref.parts else Ref(ref.donor, at)
