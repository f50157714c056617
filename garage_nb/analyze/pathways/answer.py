"""Found pathways: how many neurons harm each domain, how many do on other items too, and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...errors import InputError
from ...inject.mask import Kept, Mask
from ...inject.recipe import Recipe
from ...view.bars import Column, Table, number
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..bootstrap import Interval, bootstrap
from .effects import Effects
from .harmful import LEVEL, Harm
from .keeping import kept, masks
from .removal import DRAWS, Removal
from .sample import Sample

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MEASURES = {
    "harmful": "neurons that harm the domain, as chosen",
    "confirmed": "neurons that harm the domain, confirmed",
    "together": "change of log p without the neurons chosen, nats per token",
}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class FoundPathways(Drawn):
    """Effects of every neuron on both halves of the items, by part; `which` is the domain of each item of the testing
    half. `fills` are what stood for neurons that were taken away, 0 where it is empty.
    """

    model_id: str
    domains: tuple[str, ...]
    method: str
    fills: dict[str, Float[Tensor, " neurons"]]
    choosing: dict[str, Effects]
    testing: dict[str, Effects]
    harm: dict[str, Harm]
    sample: Sample | None
    which: Int[Tensor, " items"]
    removal: Removal
    seed: int = 0

    def harmful(self, domain: str) -> dict[str, tuple[int, ...]]:
        """By part, the neurons that were chosen: without each of them the domain is answered better."""
        place = self._place(domain)
        found = {name: one.chosen[place].nonzero()[:, 0].tolist() for name, one in self.harm.items()}
        return {name: tuple(numbers) for name, numbers in found.items() if numbers}

    def without(self, domain: str) -> Recipe:
        """To put in force: the neurons that harm a domain taken away. InputError where there are none."""
        gone = self.harmful(domain)
        if not gone:
            raise InputError(f"No neuron was found that harms {domain}.", "Ask for a share: .mask(domain, keep=0.5).")
        return Recipe(tuple(Mask(name, drop=numbers, fill=self.fills.get(name)) for name, numbers in gone.items()))

    def kept(self, domain: str | None = None, *, keep: float = 0.5) -> Kept:
        """By part the share of neurons with the largest effect on a domain, whatever its sign; on all where none is
        named. Effects do not add up: to take all away that harm one by one does harm.
        """
        rows = list(range(len(self.domains))) if domain is None else [self._place(domain)]
        return kept({name: one.size[rows].mean(0) for name, one in self.choosing.items()}, keep)

    def mask(self, domain: str | None = None, *, keep: float = 0.5) -> Recipe:
        """To put in force: all but those kept taken away."""
        return Recipe(tuple(masks(self.kept(domain, keep=keep), self.fills)))

    @cached_property
    def moved(self) -> tuple[Interval, ...]:
        """By the domain that neurons were chosen for, the change of log-probability of each domain's items without
        them; 95 %, by redrawing items.
        """
        return tuple(self._by_domain(changes) for changes in self.removal.together)

    @property
    def summed(self) -> Float[Tensor, " domains"]:
        """The testing half's effects of the neurons chosen for a domain, on it, one by one and added up."""
        each = [(self.testing[name].mean * one.chosen).sum(1) for name, one in self.harm.items()]
        return torch.stack(each).sum(0)

    def frame(self) -> pd.DataFrame:
        """One row a part and domain."""
        keys = [(name, domain) for name in self.harm for domain in self.domains]
        rows = [
            (one.chosen.shape[1], int(one.chosen[at].sum()), int(one.confirmed[at].sum()))
            for one in self.harm.values()
            for at in range(len(self.domains))
        ]
        return framed(("part", "domain"), keys, ["neurons", "harmful", "confirmed"], rows)

    def effects(self) -> pd.DataFrame:
        """One row a neuron and domain: effects on both halves with half of their intervals, p on the first."""
        keys, rows = [], []
        for name, one in self.choosing.items():
            again, harm = self.testing[name], self.harm[name]
            columns = [one.mean, one.margin, again.mean, again.margin, one.p, harm.chosen, harm.confirmed]
            for at, domain in enumerate(self.domains):
                keys += [(name, number, domain) for number in range(one.mean.shape[1])]
                rows += list(zip(*(column[at].tolist() for column in columns), strict=True))
        heads = ["effect", "margin", "tested", "tested_margin", "p", "harmful", "confirmed"]
        return framed(("part", "neuron", "domain"), keys, heads, rows)

    def removals(self) -> pd.DataFrame:
        """One row a domain that neurons were chosen for and a domain that was answered without them."""
        keys = [(mine, domain) for mine in self.domains for domain in self.domains]
        random = [self._by_domain(changes).mean for changes in self.removal.random]
        rows = [
            (float(found.mean[at]), float(found.low[at]), float(found.high[at]), float(drawn[at]))
            for found, drawn in zip(self.moved, random, strict=True)
            for at in range(len(self.domains))
        ]
        return framed(("without", "domain"), keys, ["change", "low", "high", "random"], rows)

    def plot(self, measure: str = "harmful", ax: Axes | None = None) -> Plot:
        """Parts by domains; of `together` the domains that neurons were chosen for, by those answered."""
        from ...view.plots import grid

        if measure not in MEASURES:
            raise InputError(f"There is no measure {measure!r} of pathways.", f"There are: {', '.join(MEASURES)}.")
        together, label = measure == "together", MEASURES[measure]
        rows = [f"for {name}" for name in self.domains] if together else list(self.harm)
        moved = [one.mean.tolist() for one in self.moved]
        values = moved if together else [self._counts(measure, name) for name in self.harm]
        drawn = grid(rows, self.domains, values, label, across="domain", signed=together, ax=ax)
        return Plot(drawn, f"{label}, {self.model_id}", self.removals if together else self.frame)

    def picture(self) -> Table:
        own = [(float(one.mean[at]), float(one.low[at]), float(one.high[at])) for at, one in enumerate(self.moved)]
        columns = [
            Column("harm it", self._totals("chosen")),
            Column("confirmed", self._totals("confirmed")),
            Column("effects, summed", self._known(self.summed.tolist())),
            Column("all gone", [mean for mean, _, _ in own]),
            Column("95 % from", [low for _, low, _ in own]),
            Column("to", [high for _, _, high in own]),
            Column("random", self._means(self.removal.random, own=True)),
            Column("other domains", self._means(self.removal.together, own=False)),
        ]
        return Table(self.domains, columns, title=self.model_id, caption=self._caption())

    def _caption(self) -> str:
        neurons = sum(one.chosen.shape[1] for one in self.harm.values())
        items = sum(int(count) for count in next(iter(self.choosing.values())).counts)
        how = "exact"
        if self.sample is not None:
            low, high = self.sample.interval(self.seed)
            how = (
                f"first order; rho {number(self.sample.rho)} ({number(low)} to {number(high)}) with"
                f" {len(self.sample.neurons)} taken away one by one"
            )
        return (
            f"{neurons:,} neurons of {len(self.harm)} parts, {'means' if self.fills else '0'} in their place · effects:"
            f" {how} · chosen by {items:,} items, tested on {len(self.which):,} others, p ≤ {LEVEL:g} after"
            f" Benjamini–Hochberg · changes of log p, nats per token; random: {DRAWS} draws of as many"
        )

    def _by_domain(self, changes: Float[Tensor, " items"]) -> Interval:
        found = [bootstrap(changes[self.which == at][:, None], seed=self.seed) for at in range(len(self.domains))]
        return Interval(*(torch.cat([getattr(one, end) for one in found]) for end in ("mean", "low", "high")))

    def _means(self, changes: Float[Tensor, "domains items"], *, own: bool) -> list[float]:
        """On the items of the domain that neurons were chosen for, or on all others."""
        return [float(row[(self.which == at) == own].mean()) for at, row in enumerate(changes)]

    def _known(self, values: list[float]) -> list[float]:
        """Nothing is known where no neuron was chosen."""
        counts = self._totals("chosen")
        return [value if count else float("nan") for value, count in zip(values, counts, strict=True)]

    def _totals(self, measure: str) -> list[int]:
        return torch.stack([getattr(one, measure).sum(1) for one in self.harm.values()]).sum(0).tolist()

    def _counts(self, measure: str, name: str) -> list[float]:
        one = self.harm[name]
        return (one.chosen if measure == "harmful" else one.confirmed).sum(1).tolist()

    def _place(self, domain: str) -> int:
        if domain not in self.domains:
            raise InputError(f"There is no domain {domain!r}.", f"There are: {', '.join(self.domains)}.")
        return self.domains.index(domain)
