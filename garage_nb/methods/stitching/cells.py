"""Cells: every variant that a stitching matrix marks, put together when it is its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...analyze.judging.paper import Taps
from ...compose.combining.variants import with_guest, with_random
from ...compose.graft import Adapter
from ...compose.layout.donors import Donor
from ...core.sites import Tap
from ...inject.recipe import Recipe
from .places import without

OWN, NOTHING, RANDOM = "own part", "nothing", "random weights"
CONTROLS = (RANDOM, NOTHING, OWN)
Pair = tuple[str, str]  # what stands at a place: a part of the guest or a control; and the place
Variant = tuple[Any, Taps]  # a model, and what is in force in it


@dataclass(frozen=True, eq=False, kw_only=True)
class Cells:
    base: Donor
    guest: Donor
    recipe: Recipe
    adapter: Adapter
    fitted_on: Sequence[str]
    seed: int

    def all(self, names: Sequence[str], places: Sequence[str]) -> Iterator[tuple[Pair, Callable[[], Variant]]]:
        """The controls of each place come first."""
        controls = {OWN: self._own, NOTHING: self._nothing, RANDOM: self._random}
        for place in places:
            yield from (((said, place), partial(control, place)) for said, control in controls.items())
            yield from (((name, place), partial(self._swapped, name, place)) for name in names)

    def usual(self) -> Sequence[Tap]:
        """The recipe in force, for one pass."""
        return self.recipe.taps(self.base.spec)

    def _swapped(self, name: str, place: str) -> Variant:
        return with_guest(self.base, place, self.guest, name, self.adapter, self.fitted_on), self.usual

    def _own(self, place: str) -> Variant:
        return with_guest(self.base, place, self.base, place), self.usual

    def _random(self, place: str) -> Variant:
        return with_random(self.base, place, self.seed), self.usual

    def _nothing(self, place: str) -> Variant:
        return self.base.model, lambda: [*self.usual(), *without(self.base.spec, place)]
