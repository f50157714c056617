"""Layout: which part of which donor stands at every place of the result, and where each of its tensors comes from."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...extract.chain import home, links
from ...registry.part_spec import PartSpec
from ...registry.specs import ModelSpec
from ..graft import Adapt
from .donors import Donor
from .ingredients import Ingredient, Taken

if TYPE_CHECKING:
    from ..stitching.stitch import Stitch


@dataclass(frozen=True, eq=False)
class Occupant:
    """A part of a donor, by its name there."""

    donor: Donor
    name: str

    @property
    def part(self) -> PartSpec:
        return self.donor.spec.part(self.name)

    def __str__(self) -> str:
        return f"{self.name} of {self.donor.name}"


@dataclass(frozen=True, eq=False)
class Layout:
    """`spec` names the places of the result; `config` is a copy that belongs to it. Adapters are fitted on `texts`."""

    base: Donor
    spec: ModelSpec
    config: Any
    occupants: Mapping[str, Occupant]
    tensors: Mapping[str, Ingredient]
    texts: tuple[str, ...] = ()
    stitches: Mapping[str, Stitch] = field(default_factory=dict)
    adapts: tuple[Adapt, ...] = ()

    @classmethod
    def of(cls, base: Donor, texts: tuple[str, ...] = ()) -> Layout:
        """The base as it is."""
        occupants = {name: Occupant(base, name) for name in base.spec.parts}
        tensors = {name: Taken(base, name) for name in base.tensors}
        spec = replace(base.spec, model_id="the result")
        return cls(base, spec, copy.deepcopy(base.config), occupants, tensors, texts)

    @property
    def apart(self) -> list[Stitch]:
        """Guests that become modules of their own: their weights are none of the result's class."""
        return [stitch for stitch in self.stitches.values() if stitch.why_not]

    def is_apart(self, name: str) -> bool:
        """Whether a path of the result leads into a place where such a guest stands."""
        paths = [self.spec.part(stitch.place).module_path for stitch in self.apart]
        return any(name == path or name.startswith(f"{path}.") for path in paths)

    def at(self, place: str) -> dict[str, Ingredient]:
        """What stands at a place now, by the names inside it."""
        return {inner: self.tensors[name] for inner, name in names_inside(self.spec.part(place), self.tensors)}

    def having(self, place: str, occupant: Occupant, found: Mapping[str, Ingredient]) -> Layout:
        """Another part at a place, with its tensors by the names inside it."""
        names = dict(names_inside(self.spec.part(place), self.tensors))
        changed = self.grafted_on({names[inner]: ingredient for inner, ingredient in found.items()})
        came = {place: occupant, **dict(self._inside(place, occupant))}
        return replace(changed, occupants={**self.occupants, **came})

    def _inside(self, place: str, occupant: Occupant) -> Iterator[tuple[str, Occupant]]:
        """Places within a place, and what has come there with its new occupant."""
        home, theirs = self.spec.part(place).module_path, f"{occupant.part.module_path}."
        there = {(part.module_path, part.part_type): name for name, part in occupant.donor.spec.parts.items()}
        for name, part in self.spec.parts.items():
            inner = theirs + part.module_path.removeprefix(f"{home}.")
            if part.module_path.startswith(f"{home}.") and (inner, part.part_type) in there:
                yield name, Occupant(occupant.donor, there[inner, part.part_type])

    def grafted_on(self, tensors: Mapping[str, Ingredient]) -> Layout:
        """Other ones, by their names in the result. A guest with adapters whose weights they replace is gone."""
        others = {
            place: stitch
            for place, stitch in self.stitches.items()
            if next(names_inside(self.spec.part(place), tensors), None) is None
        }
        return replace(self.with_tensors(tensors), stitches=others)

    def with_tensors(self, tensors: Mapping[str, Ingredient]) -> Layout:
        """Other ones, by their names in the result."""
        return replace(self, tensors={**self.tensors, **self._along(tensors), **tensors})

    def _along(self, tensors: Mapping[str, Ingredient]) -> dict[str, Ingredient]:
        """What the base ties to these and no part holds, as the bias beside BERT's head."""
        theirs = self.base.tensors
        made = {id(theirs[name]): found for name, found in tensors.items() if name in theirs}
        tied = {name: made[id(tensor)] for name, tensor in theirs.items() if id(tensor) in made}
        return {name: found for name, found in tied.items() if not self._is_held(name)}

    def _is_held(self, name: str) -> bool:
        return any(next(names_inside(part, {name: None}), None) for part in self.spec.parts.values())


def names_inside(part: PartSpec, tensors: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(name inside the part, whole name) of all its tensors. OPT's halves are no one module: theirs are of several."""
    paths, around = links(part), home(part)
    for name in tensors:
        if any(name.startswith(f"{path}.") for path in paths):
            yield name[len(around) + 1 :], name
