"""Blocks: whole layers stacked, repeated, dropped and put in another order, within a model or across several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ...core.parts import parse
from ...errors import BuildError
from ...registry.part_spec import PartSpec, PartType
from ..graft import Stack
from ..ref import Ref
from .configs import with_blocks
from .donors import Donor
from .fitting import demand_blocks
from .ingredients import Taken
from .layout import Layout, Occupant
from .pairing import named


@dataclass(frozen=True, eq=False)
class Block:
    """One layer of a donor, on its way to another number under the base's list of blocks."""

    donor: Donor
    layer: int
    home: str

    @cached_property
    def path(self) -> str:
        return self.donor.spec.get_full_layer(self.layer).module_path

    @cached_property
    def names(self) -> list[str]:
        """Catalogue names of the layer and of all in it."""
        return [name for name, part in self.donor.spec.parts.items() if _is_inside(part, self.path)]

    def parts(self, place: int) -> dict[str, PartSpec]:
        """As those of block `place` of the result."""
        return {_named(name, place): self._moved(self.donor.spec.parts[name], place) for name in self.names}

    def occupants(self, place: int) -> dict[str, Occupant]:
        return {_named(name, place): Occupant(self.donor, name) for name in self.names}

    def tensors(self, place: int) -> dict[str, Taken]:
        own = (name for name in self.donor.tensors if name.startswith(f"{self.path}."))
        return {self._path(name, place): Taken(self.donor, name) for name in own}

    def _moved(self, part: PartSpec, place: int) -> PartSpec:
        info = self._renamed(part.extra_info, place)
        return replace(part, layer_idx=place, module_path=self._path(part.module_path, place), extra_info=info)

    def _renamed(self, value: Any, place: int) -> Any:
        if isinstance(value, dict):
            return {key: self._renamed(item, place) for key, item in value.items()}
        if isinstance(value, list):
            return [self._renamed(item, place) for item in value]
        return self._path(value, place) if isinstance(value, str) else value

    def _path(self, path: str, place: int) -> str:
        inside = path == self.path or path.startswith(f"{self.path}.")
        return f"{self.home}.{place}{path[len(self.path) :]}" if inside else path


def stacked(layout: Layout, stack: Stack, donors: Mapping[str, Donor]) -> Layout:
    """BuildError for a block that the base's config cannot hold, naming both sides."""
    base = layout.base
    home = home_of(base)
    _demand_first(layout, home)
    blocks = [block for ref in stack.layers for block in _blocks(ref, donors[ref.donor], home)]
    if not blocks:
        raise BuildError("The stack has no layer.", "Name some: stack 0:4 b[2:6].")
    layers = [(block.donor, block.layer) for block in blocks]
    demand_blocks(layers, base)
    outside = [name for name, part in base.spec.parts.items() if not _is_inside(part, home)]
    parts: dict[str, PartSpec] = {}
    occupants = {name: layout.occupants[name] for name in outside}
    tensors = {name: found for name, found in layout.tensors.items() if not name.startswith(f"{home}.")}
    for place, block in enumerate(blocks):
        parts |= block.parts(place)
        occupants |= block.occupants(place)
        tensors |= block.tensors(place)
    config = with_blocks(layout.config, base, layers)
    parts = _in_their_stead(parts, base.spec.parts, home)
    spec = replace(base.spec, parts=parts, num_layers=len(blocks), module_paths=())
    return replace(layout, spec=spec, config=config, occupants=occupants, tensors=tensors, stitches={})


def _in_their_stead(blocks: Mapping[str, PartSpec], parts: Mapping[str, PartSpec], home: str) -> dict[str, PartSpec]:
    """The parts of a model with other blocks where its own stood: parts come from the input to the output."""
    first = next(place for place, part in enumerate(parts.values()) if _is_inside(part, home))
    outside = [(name, part) for name, part in parts.items() if not _is_inside(part, home)]
    return dict([*outside[:first], *blocks.items(), *outside[first:]])


def home_of(donor: Donor) -> str:
    """Path of the list that holds the blocks, in their order. BuildError for blocks that stand otherwise."""
    paths = [donor.spec.get_full_layer(layer).module_path for layer in range(donor.spec.num_layers)]
    home = paths[0].rpartition(".")[0]
    encoder = any((address := parse(name)) is not None and address.stack for name in donor.spec.parts)
    if encoder or paths != [f"{home}.{layer}" for layer in range(len(paths))]:
        why = "two stacks of blocks" if encoder else "blocks that stand in no one list, each once"
        raise BuildError(
            f"{donor.name} has {why}, so they cannot be counted anew.", "Swap or merge single parts of it instead."
        )
    return home


def layers_of(ref: Ref, donor: Donor) -> list[int]:
    """As often and in the order they are named."""
    names = named(ref.parts or "all", donor)
    whole = {name: part.layer_idx for name, part in donor.spec.parts.items() if part.part_type is PartType.FULL_LAYER}
    layers = [layer for name in names if (layer := whole.get(name)) is not None]
    if other := next((name for name in names if whole.get(name) is None), None):
        raise BuildError(f"{ref} names {other}, which is no whole layer.", "A stack takes layers: 0:4 b[2:6], 0,0,1.")
    return layers


def _demand_first(layout: Layout, home: str) -> None:
    """BuildError where a graft has changed the layers before: the donors' own would stand there again."""
    base = layout.base
    found = {name: made for name, made in layout.tensors.items() if name.startswith(f"{home}.")}
    own = all(isinstance(made, Taken) and made.donor is base and made.name == name for name, made in found.items())
    if not own or layout.apart or layout.spec.num_layers != base.spec.num_layers:
        raise BuildError(
            "A graft before this stack has changed the layers, and a stack takes them as they are in their donors.",
            "Stack first, and swap or merge in what was stacked.",
        )


def _blocks(ref: Ref, donor: Donor, home: str) -> Sequence[Block]:
    home_of(donor)
    return [Block(donor, layer, home) for layer in layers_of(ref, donor)]


def _is_inside(part: PartSpec, path: str) -> bool:
    return part.module_path == path or part.module_path.startswith(f"{path}.")


def _named(name: str, place: int) -> str:
    address = parse(name)
    return name if address is None else str(address.at(place))
