"""Thin runs: one text under many ways of zeroing, as rows of a batch: its loss, and how much was 0 where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.seed import seeded
from ...core.sites import Read, Reader, Site
from ...inject.recipe import Recipe
from ...inject.sweep import swept_over
from ...registry.lift import Lifted
from ..texts.token_loss import Item
from .thinning import ARMS, Cell

THRESHOLD = "threshold"


@dataclass(frozen=True, eq=False)
class Zeros:
    """How many entries of each place are 0, and how many it has."""

    counts: Int[Tensor, "rows places"]
    entries: Int[Tensor, " places"]

    def __add__(self, other: Zeros) -> Zeros:
        return Zeros(self.counts + other.counts, self.entries + other.entries)

    @property
    def shares(self) -> Float[Tensor, "rows places"]:
        return self.counts.double() / self.entries

    @property
    def share(self) -> Float[Tensor, " rows"]:
        """Of all places together."""
        return self.counts.sum(1).double() / self.entries.sum()


@dataclass(frozen=True, eq=False)
class Outcome:
    """Of several recipes on one text; losses are summed over its tokens."""

    losses: Float[Tensor, " rows"]
    zeros: Zeros


@dataclass(frozen=True, eq=False)
class Thinner:
    """`levels` by place, one a share. All places are written after the recipe in force."""

    lifted: Lifted
    recipe: Recipe
    shares: tuple[float, ...]
    levels: Mapping[str, Sequence[float]]
    sites: Mapping[str, Site]

    def untouched(self, item: Item) -> Outcome:
        return self._run(item, [self.recipe], list(self.sites))

    def each(self, item: Item) -> list[Outcome]:
        """The threshold, one place at a time."""
        return [self._run(item, self._recipes(THRESHOLD, self._cells([name])), [name]) for name in self.sites]

    def together(self, item: Item, controls: Sequence[str], seed: int) -> list[Outcome]:
        """All places at once: the threshold, then the controls that go by it."""
        names, cells = list(self.sites), self._cells(list(self.sites))
        first = self._run(item, self._recipes(THRESHOLD, cells), names)
        known = _told(cells, first.zeros.counts, seed)
        return [first, *(self._run(item, self._recipes(arm, known), names) for arm in controls)]

    def _cells(self, names: Sequence[str]) -> list[list[Cell]]:
        """By share, then place."""
        return [[Cell(name, share, self.levels[name][at]) for name in names] for at, share in enumerate(self.shares)]

    def _recipes(self, arm: str, cells: list[list[Cell]]) -> list[Recipe]:
        return [replace(self.recipe, edits=(*self.recipe.edits, *map(ARMS[arm], row))) for row in cells]

    def _run(self, item: Item, recipes: Sequence[Recipe], names: Sequence[str]) -> Outcome:
        """Logits are there for as many rows as one pass holds; of a place no more than counts."""
        seen: dict[Site, Tensor] = {}
        sizes: dict[Site, int] = {}
        sites = [self.sites[name] for name in names]
        reads = [Read(site, _counter(seen, sizes, site)) for site in sites]
        losses, counts, entries = [], [], torch.zeros(len(names), dtype=torch.long)
        for some in swept_over(self.lifted.model, self.lifted.spec, item.batch, recipes, reads=reads):
            losses.append(item.losses(some))
            counts.append(torch.stack([seen[site].reshape(len(some), -1).sum(1).cpu() for site in sites], 1))
            entries = torch.tensor([sizes[site] // len(some) for site in sites])
        return Outcome(torch.cat(losses), Zeros(torch.cat(counts), entries))


def _told(cells: list[list[Cell]], zeros: Int[Tensor, "shares places"], seed: int) -> list[list[Cell]]:
    """With how many zeros the threshold left, and a seed of its own for every draw."""
    seeds = torch.randint(1 << 62, zeros.shape, generator=seeded(seed))
    numbers = torch.stack([zeros, seeds], 2).tolist()
    return [
        [replace(cell, zeros=count, seed=own) for cell, (count, own) in zip(row, pairs, strict=True)]
        for row, pairs in zip(cells, numbers, strict=True)
    ]


def _counter(seen: dict[Site, Tensor], sizes: dict[Site, int], site: Site) -> Reader:
    def count(hidden: Tensor) -> None:
        seen[site], sizes[site] = (hidden == 0).sum(-1), hidden.numel()

    return count
