"""Snapshot and Snapshots: what a capture leaves, and how it shows itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from ..core.room import sized
from ..core.stats import NAMES, Statistics
from ..errors import nearest
from ..plain import count
from ..view.bars import Column, Table, number
from ..view.cards import Card
from ..view.figure import Plot
from ..view.frames import framed
from ..view.shown import Drawn, Shown
from .measures import defined, demand, head

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class Snapshot(Shown):
    """One part in one pass: statistics always, the hidden states (batch, seq, dim) only when they were kept."""

    name: str
    statistics: Statistics
    shape: tuple[int, ...]
    dtype: str
    hidden: Tensor | None = None

    @property
    def mean_activation(self) -> float:
        return self.statistics.mean

    @property
    def std_activation(self) -> float:
        return self.statistics.std

    @property
    def sparsity(self) -> float:
        return self.statistics.sparsity

    @property
    def entropy(self) -> float:
        return self.statistics.entropy

    def frame(self) -> pd.DataFrame:
        """One row, one column a statistic."""
        return framed("part", [self.name], NAMES, [self.statistics.as_dict().values()])

    def picture(self) -> Card:
        hidden = "kept" if self.hidden is not None else "not kept: capture with keep=True, or --keep"
        facts = {name.replace("_", " "): number(value) for name, value in self.statistics.as_dict().items()}
        shape = " × ".join(map(str, self.shape))
        return Card(self.name, {"hidden states": f"{shape}, {self.dtype}, {hidden}", **facts})


class Snapshots(Mapping[str, Snapshot], Drawn):
    """Name -> Snapshot in the order asked, as a table, a frame or a plot.

    `tau` is the sparsity threshold used, `tokens` how many were read, `changed` the places written to in this pass.
    `kept` is the estimate, in bytes, that was made of the hidden states before they were kept; 0 where none were.
    """

    def __init__(
        self,
        snapshots: Mapping[str, Snapshot],
        *,
        model_id: str,
        tau: float,
        tokens: int,
        changed: frozenset[str] = frozenset(),
        kept: int = 0,
    ) -> None:
        self._snapshots = dict(snapshots)
        self.model_id, self.tau, self.tokens, self.changed, self.kept = model_id, tau, tokens, changed, kept

    def __getitem__(self, name: str) -> Snapshot:
        if name not in self._snapshots:
            raise KeyError(f"{name!r} was not captured; there are: {nearest(name, self._snapshots)}")
        return self._snapshots[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._snapshots)

    def __len__(self) -> int:
        return len(self._snapshots)

    def values_of(self, statistic: str) -> list[float]:
        """One statistic for every part, in order."""
        return [getattr(snapshot.statistics, demand(statistic)) for snapshot in self.values()]

    def frame(self) -> pd.DataFrame:
        """One row a part, one column a statistic."""
        return framed("part", self, NAMES, [shot.statistics.as_dict().values() for shot in self.values()])

    def plot(self, statistic: str = "sparsity", ax: Axes | None = None) -> Plot:
        """One statistic along the parts."""
        from ..view.plots import line

        values = self.values_of(statistic)
        drawn = line(list(self), values, label=defined(statistic, self.tau), ax=ax)
        return Plot(drawn, f"{head(statistic, self.tau)} of {len(self)} parts of {self.model_id}", self.frame)

    def picture(self) -> Table:
        shown = ("mean", "std", "norm", "sparsity", "entropy", "kurtosis", "effective_dimension")
        bars = ("norm", "sparsity")
        columns = [Column(head(name, self.tau), self.values_of(name), bar=name in bars) for name in shown]
        read = count(self.tokens, "token")
        caption = f"{read}, hidden states kept: about {sized(self.kept)}" if self.kept else read
        return Table(list(self), columns, title=self.model_id, caption=caption, changed=self.changed)
