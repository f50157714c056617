"""Trade-off curves: accuracy and log-probability of answers against the share of the feed-forwards that is computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxtyping import Float, Int
from torch import Tensor

from ...errors import InputError
from ...view.bars import Column, Table, number
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..bootstrap import Interval, bootstrap
from ..judging.shares import of_paired_shares
from .arms import DRAWS, OWN
from .half import Scores

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LOSS = 0.05  # nats a token: what `least` asks after
ACROSS = "neurons kept, share of the multiplications of these feed-forwards"
MEASURES = {"log_prob": "log p of the answer, nats per token", "accuracy": "items answered right, share"}
HONEST = "zeroing is arithmetic here and saves no time; slice does"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TradeoffCurves(Drawn):
    """Of every item of the testing half, with the neurons kept that an arm chose for its domain. `items` is how many
    others they were chosen by; `dense` are the scores with all neurons.

    shares     of neurons that are really kept, over all parts, and so of the multiplications there
    log_probs  of the answer, nats a token; where an arm is drawn several times, the mean over draws
    right      1 where greedy decoding writes the answer, 0 else; the same
    """

    model_id: str
    arms: tuple[str, ...]
    parts: tuple[str, ...]
    fill: str
    shares: tuple[float, ...]
    items: int
    domains: tuple[str, ...]
    which: Int[Tensor, " items"]
    dense: Scores
    log_probs: Float[Tensor, "arms shares items"]
    right: Float[Tensor, "arms shares items"]
    seed: int = 0

    def change(self, measure: str = "log_prob", arm: str = OWN, domain: str | None = None) -> Interval:
        """From the dense model, by share, item by item; 95 % by redrawing them, of accuracy Bonett and Price's."""
        values, before = self._measured(measure)
        mine = self._mine(domain)
        moved = (values[self._arm(arm)][:, mine] - before[mine]).T
        return of_paired_shares(moved) if measure == "accuracy" else bootstrap(moved, seed=self.seed)

    def mean(self, measure: str = "log_prob", domain: str | None = None) -> float:
        """Of the dense model."""
        return float(self._measured(measure)[1][self._mine(domain)].mean())

    def least(self, loss: float = LOSS, arm: str = OWN) -> float | None:
        """The smallest share with which log p falls by no more, by the lower end of its interval; None for none."""
        lows = self.change(arm=arm).low.tolist()
        return min((share for share, low in zip(self.shares, lows, strict=True) if low >= -loss), default=None)

    def frame(self) -> pd.DataFrame:
        """One row an arm, share and domain, and one for all of these: means, and changes with their intervals."""
        keys, rows = [], []
        for arm in self.arms:
            for domain in (*self.domains, None) if len(self.domains) > 1 else self.domains:
                found = [(self.mean(measure, domain), self.change(measure, arm, domain)) for measure in MEASURES]
                keys += [(arm, share, "all" if domain is None else domain) for share in self.shares]
                columns = [(one.mean + dense, one.mean, one.low, one.high) for dense, one in found]
                flat = [column.tolist() for several in columns for column in several]
                rows += list(zip(*flat, strict=True))
        heads = [f"{measure}{what}" for measure in MEASURES for what in ("", "_change", "_low", "_high")]
        return framed(("arm", "kept", "domain"), keys, heads, rows)

    def plot(self, measure: str = "log_prob", domain: str | None = None, ax: Axes | None = None) -> Plot:
        """A line an arm; its whiskers are those of the change, drawn about the mean, and of accuracy from 0 to 1."""
        from ...view.paths import Path, paths

        dense, label = self.mean(measure, domain), MEASURES[measure]
        low, high = (0.0, 1.0) if measure == "accuracy" else (-math.inf, math.inf)
        changes = {arm: self.change(measure, arm, domain) for arm in self.arms}
        drawn: Mapping[str, Path] = {
            arm: Path(self.shares, *((dense + end).clamp(low, high).tolist() for end in (one.mean, one.low, one.high)))
            for arm, one in changes.items()
        }
        found = paths(drawn, f"{label}; 95 % interval of its change", across=ACROSS, level=("dense", dense), ax=ax)
        return Plot(found, f"{label} by {ACROSS}, {len(self.which)} items, {self.model_id}", self.frame)

    def picture(self) -> Table:
        own, others = self.change(), self.arms[1:]
        accuracy = self.change("accuracy").mean + self.mean("accuracy")
        columns = [
            Column("accuracy", accuracy.tolist()),
            Column("log p", (own.mean + self.mean()).tolist()),
            Column("change", own.mean.tolist(), bar=True),
            Column("95 % from", own.low.tolist()),
            Column("to", own.high.tolist()),
            *(Column(f"{arm}: change", self.change(arm=arm).mean.tolist()) for arm in others),
        ]
        names = [f"kept {share:.3g}" for share in self.shares]
        return Table(names, columns, title=self.model_id, caption=self._caption())

    def _caption(self) -> str:
        filled = "their means" if self.fill == "mean" else "0"
        several = f" of {len(self.domains)} domains" if len(self.domains) > 1 else ""
        return (
            f"neurons of {len(self.parts)} parts, {filled} in place of those that go · dense: accuracy"
            f" {number(self.mean('accuracy'))}, log p {number(self.mean())} nats per token · chosen by {self.items:,}"
            f" items, tested on {len(self.which):,} others{several} · random and other: means of up to {DRAWS} draws ·"
            f" {HONEST}"
        )

    def _measured(self, measure: str) -> tuple[Tensor, Tensor]:
        if measure not in MEASURES:
            raise InputError(f"There is no measure {measure!r} of a trade-off.", f"There are: {', '.join(MEASURES)}.")
        if measure == "accuracy":
            return self.right, self.dense.right.double()
        return self.log_probs, self.dense.log_probs

    def _arm(self, arm: str) -> int:
        if arm not in self.arms:
            raise InputError(f"There is no arm {arm!r}.", f"There are: {', '.join(self.arms)}.")
        return self.arms.index(arm)

    def _mine(self, domain: str | None) -> Tensor:
        if domain is not None and domain not in self.domains:
            raise InputError(f"There is no domain {domain!r}.", f"There are: {', '.join(self.domains)}.")
        return self.which >= 0 if domain is None else self.which == self.domains.index(domain)
