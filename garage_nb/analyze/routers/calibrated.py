"""Calibrated: how well routing probability and measured quality agree, by router and domain, and what was lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...errors import InputError
from ...view.bars import Column, Table, number
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..bootstrap import Interval, bootstrap
from ..false_discovery import benjamini_hochberg
from .agreement import Agreement
from .quality import Quality
from .signed import Signed

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LEVEL = 0.05
MEASURES = {
    "alone": "rho of routing and quality alone",
    "sets": "rho of routing and quality in sets",
    "regret": "regret, nats per token",
}
ROUTER, ANY, BEST = "router", "any set", "best set"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Of one router's items: by the quality of experts `alone`, and by that of the `sets` that an expert is in."""

    alone: Agreement
    sets: Agreement


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibrated:
    """One router: what it was tried by, over all items and by domain."""

    quality: Quality
    whole: Cell
    cells: tuple[Cell, ...]
    signs: tuple[Signed, ...]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Calibration(Drawn):
    """By router, such as `gate_3`. `natural` is the loss of each item's answer, in nats a token, with nothing forced.

    `which` is the domain of each item. Arms are other ways to choose as many experts: `uniform`, `random` and `anti` as
    `Reroute` says, `any set` the mean over forced sets, `best set` the least loss of each item over them: it is chosen
    by the answer itself, which no router knows.
    """

    model_id: str
    domains: tuple[str, ...]
    which: Int[Tensor, " items"]
    natural: Float[Tensor, " items"]
    routers: dict[str, Calibrated]
    seed: int = 0

    def losses(self, router: str) -> dict[str, Float[Tensor, " items"]]:
        """Of every item, by arm; the router's own first."""
        quality = self._router(router).quality
        sets = {ANY: quality.by_set.mean(1), BEST: quality.by_set.amin(1)}
        return {ROUTER: self.natural, **quality.others, **sets}

    def regret(self, router: str, domain: str | None = None) -> Interval:
        """Loss above that of the best set of each item, 95 % by redrawing items; of all items where none is named.

        Below 0 where the router's loss is less than that of any one set for all tokens of an item.
        """
        losses = self.losses(router)
        return bootstrap((losses[ROUTER] - losses[BEST])[self._mine(domain)][:, None], seed=self.seed)

    @cached_property
    def adjusted(self) -> dict[str, Float[Tensor, "routers domains 2"]]:
        """p of the correlation and p beyond the average, by `alone` and `sets`, each adjusted over all cells."""
        return {name: torch.stack([self._adjusted(get, p) for p in ("p", "p_beyond")], -1) for name, get in _BY.items()}

    def frame(self) -> pd.DataFrame:
        """One row a router, domain and way to measure quality: rho with its interval, p, p adjusted over all cells
        (Benjamini–Hochberg), and how far rho is beyond what the experts' averages give.
        """
        keys, rows = [], []
        for at, (name, one) in enumerate(self.routers.items()):
            for place, (domain, cell) in enumerate(zip(self.domains, one.cells, strict=True)):
                for by, get in _BY.items():
                    found, (adjusted, beyond) = get(cell), self.adjusted[by][at, place].tolist()
                    keys.append((name, domain, by))
                    rows.append([
                        found.rho, found.low, found.high, found.p, adjusted, found.beyond, found.p_beyond, beyond,
                        found.items,
                    ])  # fmt: skip
        heads = ["rho", "low", "high", "p", "adjusted", "beyond", "p_beyond", "adjusted_beyond", "items"]
        return framed(("router", "domain", "quality"), keys, heads, rows)

    def arms(self) -> pd.DataFrame:
        """One row a router, domain and arm: the loss, and its rise over the router's with the interval."""
        keys, rows = [], []
        for name in self.routers:
            losses = torch.stack(list(self.losses(name).values()), 1)  # (items, arms)
            for domain in self.domains:
                mine = losses[self._mine(domain)]
                rise = bootstrap(mine - mine[:, :1], seed=self.seed)
                keys += [(name, domain, arm) for arm in self.losses(name)]
                rows += torch.stack([mine.mean(0), rise.mean, rise.low, rise.high], 1).tolist()
        return framed(("router", "domain", "arm"), keys, ["loss", "rise", "low", "high"], rows)

    def experts(self) -> pd.DataFrame:
        """One row a router, domain and expert that all tokens went to: the rise of the loss, and one-sided p of its
        being better and of its being worse than the router, each adjusted over all rows (Benjamini–Hochberg).
        """
        keys = [
            (name, domain, expert)
            for name, one in self.routers.items()
            for domain, sign in zip(self.domains, one.signs, strict=True)
            for expert in range(len(sign.better))
        ]
        signs = [sign for one in self.routers.values() for sign in one.signs]
        columns = [torch.cat([get(sign) for sign in signs]) for get in _SIGNED]
        columns += [benjamini_hochberg(column) for column in columns[-2:]]
        heads = ["rise", "low", "high", "better", "worse", "adjusted_better", "adjusted_worse"]
        return framed(("router", "domain", "expert"), keys, heads, torch.stack(columns, 1).tolist())

    def plot(self, measure: str = "alone", ax: Axes | None = None) -> Plot:
        """Routers by domains."""
        from ...view.plots import grid

        if measure not in MEASURES:
            raise InputError(f"There is no measure {measure!r} of routers.", f"There are: {', '.join(MEASURES)}.")
        values = [self._values(name, measure) for name in self.routers]
        label = MEASURES[measure]
        drawn = grid(list(self.routers), self.domains, values, label, across="domain", signed=measure in _BY, ax=ax)
        return Plot(drawn, f"{label}, {len(self.routers)} routers of {self.model_id}", self.frame)

    def picture(self) -> Table:
        whole = [one.whole.alone for one in self.routers.values()]
        regret = [self.regret(name) for name in self.routers]
        rises = [
            {arm: float((one - self.natural).mean()) for arm, one in self.losses(name).items()} for name in self.routers
        ]
        columns = [
            Column("rho", [one.rho for one in whole]),
            Column("95 % from", [one.low for one in whole]),
            Column("to", [one.high for one in whole]),
            Column("above 0", [self._above(at) for at in range(len(whole))]),
            *(Column(arm, [rise[arm] for rise in rises]) for arm in rises[0] if arm not in (ROUTER, BEST)),
            Column("regret", [float(one.mean[0]) for one in regret], bar=True),
        ]
        return Table(list(self.routers), columns, title=self.model_id, caption=self._caption())

    def _caption(self) -> str:
        several = f", {len(self.domains)} domains" if len(self.domains) > 1 else ""
        loss = f"loss {number(float(self.natural.mean()))} nats per token"
        return (
            f"{len(self.natural):,} items{several}, {loss} · rho: of routing probability and quality of each expert"
            f" alone · above 0: domains, p ≤ {LEVEL:g} after Benjamini–Hochberg · rises of the loss, and regret: over"
            " the best set of each item"
        )

    def _above(self, at: int) -> str:
        cells = list(self.routers.values())[at].cells
        sure = self.adjusted["alone"][at, :, 0].tolist()
        found = sum(cell.alone.rho > 0 and p <= LEVEL for cell, p in zip(cells, sure, strict=True))
        return f"{found} of {len(cells)}"

    def _values(self, router: str, measure: str) -> list[float]:
        if measure in _BY:
            return [_BY[measure](cell).rho for cell in self.routers[router].cells]
        return [float(self.regret(router, domain).mean[0]) for domain in self.domains]

    def _adjusted(self, get: Callable[[Cell], Agreement], p: str) -> Float[Tensor, "routers domains"]:
        ps = [[getattr(get(cell), p) for cell in one.cells] for one in self.routers.values()]
        return benjamini_hochberg(torch.tensor(ps, dtype=torch.float64))

    def _mine(self, domain: str | None) -> Tensor:
        if domain is None:
            return torch.ones_like(self.which, dtype=torch.bool)
        if domain not in self.domains:
            raise InputError(f"There is no domain {domain!r}.", f"There are: {', '.join(self.domains)}.")
        return self.which == self.domains.index(domain)

    def _router(self, name: str) -> Calibrated:
        if name not in self.routers:
            raise InputError(f"{name!r} was not calibrated.", f"There are: {', '.join(list(self.routers)[:8])}.")
        return self.routers[name]


_BY: dict[str, Callable[[Cell], Agreement]] = {"alone": lambda cell: cell.alone, "sets": lambda cell: cell.sets}
_SIGNED: tuple[Callable[[Signed], Tensor], ...] = (
    lambda sign: sign.rise.mean,
    lambda sign: sign.rise.low,
    lambda sign: sign.rise.high,
    lambda sign: sign.better,
    lambda sign: sign.worse,
)
