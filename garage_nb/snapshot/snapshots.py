"""Snapshot and Snapshots: what a capture leaves, and how it shows itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from ..core.stats import NAMES, Statistics
from ..errors import InputError, nearest
from ..view.bars import Column, Table
from ..view.shown import Shown

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Snapshot:
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


class Snapshots(Mapping[str, Snapshot], Shown):
    """Name -> Snapshot in the order asked, as a table, a frame or a plot.

    `tau` is the sparsity threshold used, `tokens` how many were read, `changed` the places written to in this pass.
    """

    def __init__(
        self,
        snapshots: Mapping[str, Snapshot],
        *,
        model_id: str,
        tau: float,
        tokens: int,
        changed: frozenset[str] = frozenset(),
    ) -> None:
        self._snapshots = dict(snapshots)
        self.model_id, self.tau, self.tokens, self.changed = model_id, tau, tokens, changed

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
        if statistic not in NAMES:
            raise InputError(f"There is no statistic {statistic!r}.", f"There are: {', '.join(NAMES)}.")
        return [getattr(snapshot.statistics, statistic) for snapshot in self.values()]

    def frame(self) -> pd.DataFrame:
        """One row a part, one column a statistic."""
        import pandas as pd

        rows = [shot.statistics.as_dict() for shot in self.values()]
        frame: pd.DataFrame = pd.DataFrame(rows, index=pd.Index(list(self), name="part"))
        return frame

    def plot(self, statistic: str = "sparsity", ax: Axes | None = None) -> Axes:
        """One statistic along the parts."""
        from ..view.plots import line

        return line(list(self), self.values_of(statistic), label=self.label(statistic), ax=ax)

    def label(self, statistic: str) -> str:
        """What an axis or a column head says: a sparsity never stands without its threshold."""
        return (
            f"sparsity  |x|\u00a0≤\u00a0{self.tau:g}\u00a0σ" if statistic == "sparsity" else statistic.replace("_", " ")
        )

    def picture(self) -> Table:
        shown = ("mean", "std", "norm", "sparsity", "entropy", "kurtosis", "effective_dimension")
        columns = [Column(self.label(name), self.values_of(name), bar=name in ("norm", "sparsity")) for name in shown]
        return Table(list(self), columns, caption=f"{self.model_id} · {self.tokens} tokens", changed=self.changed)
