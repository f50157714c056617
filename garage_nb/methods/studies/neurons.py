"""Neurons: how large they are on the items to fit on, by domain: what masks are chosen by, never by items that test."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from ...analyze.judging.on_items import rows_for
from ...analyze.pathways.activity import Activity, activity, reach
from ...analyze.pathways.effects import Fills
from ...analyze.pathways.half import Half
from ...analyze.routers.quality import first_ways
from ...analyze.texts.domains import with_neurons
from ...core.seed import seeded
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from .ground import Ground

TOLD = 100  # items of a domain
Scores = dict[str, Float[Tensor, " neurons"]]


@dataclass(frozen=True, eq=False)
class Neurons:
    """Of all ffns of the ground's target. Scores are by part, a number a neuron; the higher, the sooner it is kept."""

    ground: Ground

    @property
    def lifted(self) -> Lifted:
        return self.ground.target

    @cached_property
    def parts(self) -> list[str]:
        """InputError for a model without neurons side by side."""
        return list(with_neurons(self.lifted, "ffn_*"))

    @cached_property
    def active(self) -> dict[str, Activity]:
        asked = {domain: several[:TOLD] for domain, several in self.ground.fit.items() if several}
        domains = tuple(asked)
        rows = first_ways(rows_for(self.lifted, [one for several in asked.values() for one in several]))
        which = torch.tensor([place for place, domain in enumerate(domains) for _ in asked[domain]])
        half = Half(lifted=self.lifted, recipe=Recipe(), domains=domains, rows=rows, which=which)
        return activity(half, self.parts)

    @property
    def means(self) -> Fills:
        return {name: one.mean for name, one in self.active.items()}

    @cached_property
    def reaches(self) -> Scores:
        """Of each the norm of its column in the last matrix. UnsupportedModelError without a plain one."""
        return {name: reach(self.lifted, name) for name in self.parts}

    def sizes(self, domain: str = "") -> Scores:
        """Mean |a| over a domain's tokens; over all domains alike where none is named."""
        rows = self._rows(domain)
        return {name: one.size[rows].mean(0) for name, one in self.active.items()}

    def products(self, domain: str = "") -> Scores:
        """Mean |a| times the norm of the column."""
        return {name: size * self.reaches[name] for name, size in self.sizes(domain).items()}

    def drawn(self, seed: int) -> Scores:
        generator = seeded(seed)
        return {name: torch.rand(len(one), generator=generator) for name, one in self.reaches.items()}

    def _rows(self, domain: str) -> list[int]:
        known = [name for name, several in self.ground.fit.items() if several]
        return [known.index(domain)] if domain else list(range(len(known)))
