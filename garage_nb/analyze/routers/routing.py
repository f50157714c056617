"""Routing: by router, which experts it chose, for which domain, how surely, and what its choice tells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import InputError, UnknownPartError, nearest
from ...view.bars import Column, Table
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..bootstrap import Interval
from .information import Information

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LOAD = "load, share of choices"


@dataclass(frozen=True, eq=False, kw_only=True)
class Router:
    """One router. Intervals are 95 %, by redrawing prompts; of a domain, its own.

    load         share of all choices that go to an expert, (experts,); a token makes `per_token` of them
    weights      share of the tokens' weight, (domains, experts)
    measures     entropy and dominance: of the router's softmax over all experts, in nats, from 0 to log experts, also
                 where its own scores are no softmax; and the largest share of a token's weight. Means over tokens
    choices      how many tokens' worth of choices there were
    information  of the choice about the domain, the token being known; see information.py
    """

    per_token: int
    load: Interval
    by_domain: tuple[Interval, ...]
    weights: Float[Tensor, "domains experts"]
    measures: Interval
    measures_by_domain: Float[Tensor, "domains 2"]
    choices: Float[Tensor, "domains experts"]
    information: Information

    @property
    def experts(self) -> int:
        return len(self.load.mean)

    @property
    def entropy(self) -> float:
        return float(self.measures.mean[0])

    @property
    def dominance(self) -> float:
        return float(self.measures.mean[1])

    @property
    def loads(self) -> Float[Tensor, "domains experts"]:
        return torch.stack([one.mean for one in self.by_domain])


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Routing(Drawn):
    """By router, such as `gate_3`. `tokens` counts those of each domain; special tokens are left out."""

    model_id: str
    prompts: int
    tokens: dict[str, int]
    routers: dict[str, Router]
    relabellings: int

    @property
    def domains(self) -> list[str]:
        return list(self.tokens)

    def favourite(self, domain: str) -> dict[str, int]:
        """By router, the expert that most of a domain's choices go to."""
        place = self._place(domain)
        return {name: int(one.loads[place].argmax()) for name, one in self.routers.items()}

    def bias(self, router: str, domain: str) -> tuple[float, ...]:
        """For `RouterBias`: log of how much more of a domain's choices go to an expert than of the other domains'.

        Half a choice is added to every count. InputError for a reading of one domain.
        """
        place, one = self._place(domain), self._router(router)
        if len(self.tokens) < 2:
            raise InputError("One domain has nothing to be told apart from.", "Read the routers over several.")
        mine = one.choices[place] + 0.5
        others = one.choices.sum(0) - one.choices[place] + 0.5
        return tuple((mine / mine.sum()).log().sub((others / others.sum()).log()).tolist())

    def frame(self) -> pd.DataFrame:
        """One row a router, domain and expert: its load with the interval, and its share of the weight."""
        rows = [
            ((name, domain, expert), [float(column[expert]) for column in columns])
            for name, one in self.routers.items()
            for domain, sure, weights in zip(self.domains, one.by_domain, one.weights, strict=True)
            for columns in [(sure.mean, sure.low, sure.high, weights)]
            for expert in range(one.experts)
        ]
        columns = ["load", "low", "high", "weight"]
        return framed(("router", "domain", "expert"), [key for key, _ in rows], columns, [row for _, row in rows])

    def measures(self) -> pd.DataFrame:
        """One row a router: entropy and dominance with intervals, and the information with its floor and p."""
        sure = ["mean", "low", "high"]
        heads = [f"{name}_{edge}" for name in ("entropy", "dominance") for edge in sure]
        rows = []
        for one in self.routers.values():
            edges = [one.measures.mean, one.measures.low, one.measures.high]
            told = [one.information.value, one.information.floor, one.information.p]
            rows.append([*(float(edge[at]) for at in (0, 1) for edge in edges), *told])
        return framed("router", self.routers, [*heads, "information", "floor", "p"], rows)

    def plot(self, router: str | None = None, ax: Axes | None = None) -> Plot:
        """Experts by domains of one router; routers by experts over all prompts where none is named."""
        from ...view.plots import grid

        if router is None:
            most = max(one.experts for one in self.routers.values())
            values = [one.load.mean.tolist() + [math.nan] * (most - one.experts) for one in self.routers.values()]
            drawn = grid(list(self.routers), list(map(str, range(most))), values, LOAD, across="expert", ax=ax)
            return Plot(drawn, f"{LOAD}, {len(self.routers)} routers of {self.model_id}", self.frame)
        one = self._router(router)
        names = [f"expert_{expert}" for expert in range(one.experts)]
        drawn = grid(names, self.domains, one.loads.T.tolist(), LOAD, across="domain", ax=ax)
        return Plot(drawn, f"{LOAD}, {router} of {self.model_id}", self.frame)

    def picture(self) -> Table:
        found = list(self.routers.values())
        columns = [
            Column("experts", [one.experts for one in found]),
            Column("a token", [one.per_token for one in found]),
            Column("most used", [f"expert_{int(one.load.mean.argmax())}" for one in found]),
            Column("its load", [float(one.load.mean.max()) for one in found], bar=True, top=1.0),
            Column("least", [float(one.load.mean.min()) for one in found]),
            Column("entropy", [one.entropy for one in found]),
            Column("dominance", [one.dominance for one in found]),
        ]
        if len(self.tokens) > 1:
            columns.append(Column("MI", [one.information.value for one in found]))
        if self.relabellings:
            columns.append(Column("MI by chance", [one.information.floor for one in found]))
        return Table(list(self.routers), columns, title=self.model_id, caption=self._caption())

    def _caption(self) -> str:
        several = len(self.tokens) > 1
        domains = f", {len(self.tokens)} domains" if several else ""
        told = " · MI: of domain and expert, the token being known" if several else ""
        return f"{self.prompts:,} prompts, {sum(self.tokens.values()):,} tokens{domains} · nats{told}"

    def _place(self, domain: str) -> int:
        if domain not in self.tokens:
            raise InputError(f"There is no domain {domain!r}.", f"There are: {', '.join(self.domains)}.")
        return self.domains.index(domain)

    def _router(self, name: str) -> Router:
        if name not in self.routers:
            raise UnknownPartError(
                f"{name!r} is no router that was read.", f"Nearest: {nearest(name, list(self.routers))}."
            )
        return self.routers[name]
