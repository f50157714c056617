"""Trace: a statistic of every part at every token of a text, the prompt's and those that were written after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.tokenwise import STORED, TOKENWISE
from ..errors import InputError
from ..view.bars import Column, Table
from ..view.figure import Plot
from ..view.frames import framed
from ..view.shown import Drawn
from .measures import head, tokenwise

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def offered(statistic: str) -> str:
    """InputError for what a token by itself does not have."""
    if statistic not in TOKENWISE:
        raise InputError(f"A token by itself has no statistic {statistic!r}.", f"There are: {', '.join(TOKENWISE)}.")
    return statistic


def counted(edges: Sequence[float], tau: float) -> int:
    """Which of the edges a threshold is. InputError names the nearest."""
    if tau in edges:
        return list(edges).index(tau)
    near = sorted(edges, key=lambda edge: abs(edge - tau))[:2] if math.isfinite(tau) else edges[1:-1:16]
    said = ", ".join(f"{edge:g}" for edge in sorted(near))
    raise InputError(f"Entries were not counted at {tau:g} standard deviations.", f"Take one of: {said}.")


@dataclass(frozen=True, eq=False, repr=False)
class Trace(Drawn):
    """`tokens` are those that the model read, the first `prompted` of them the prompt's; `text` is what it wrote.

    `statistics` are (parts, tokens, those of STORED), `counts` (parts, tokens, edges + 1): entries within each of
    `edges` standard deviations of that token, and all of them last. That is 340 bytes a part and token, 33 MB for 96
    parts at 1,024 tokens. What a part did not read, as the decoder of an encoder–decoder model the prompt, is NaN.
    `statistic` and `tau` are what is shown where nothing is said.
    """

    model_id: str
    prompt: str
    parts: tuple[str, ...]
    tokens: tuple[str, ...]
    prompted: int
    text: str
    statistics: np.ndarray
    counts: np.ndarray
    edges: tuple[float, ...]
    statistic: str
    tau: float
    changed: frozenset[str] = frozenset()

    def values(self, statistic: str | None = None, tau: float | None = None) -> np.ndarray:
        """(parts, tokens), float64. Sparsity at any edge comes from the counts: nothing runs again."""
        name = offered(self.statistic if statistic is None else statistic)
        if name != "sparsity":
            return self.statistics[:, :, STORED.index(name)]
        edge = counted(self.edges, self.tau if tau is None else tau)
        every = np.where(self.counts[:, :, -1] == 0, np.nan, self.counts[:, :, -1])
        return np.asarray(self.counts[:, :, edge] / every)

    def defined(self, statistic: str | None = None, tau: float | None = None) -> str:
        """What the values are, with the threshold where there is one."""
        return tokenwise(self.statistic if statistic is None else statistic, self.tau if tau is None else tau)

    def frame(self) -> pd.DataFrame:
        """One row a token and part, one column a statistic."""
        keys = [(place, name) for place in range(len(self.tokens)) for name in self.parts]
        columns = np.stack([self.values(name) for name in TOKENWISE], axis=-1).swapaxes(0, 1)
        lines = columns.reshape(-1, len(TOKENWISE)).tolist()
        rows = [(self.tokens[place], *line) for (place, _), line in zip(keys, lines, strict=True)]
        return framed(("position", "part"), keys, ["token", *TOKENWISE], rows)

    def plot(self, statistic: str | None = None, tau: float | None = None, ax: Axes | None = None) -> Plot:
        """Parts by tokens."""
        from ..view.plots import grid

        values, label = self.values(statistic, tau), self.defined(statistic, tau)
        tokens = [*map(repr, self.tokens)]
        drawn = grid(self.parts, tokens, values.tolist(), label, across="the token read", ax=ax)
        return Plot(drawn, f"{label}, {self._size} of {self.model_id}", self.frame)

    def picture(self) -> Table:
        heads = (f"{head(self.statistic, self.tau)}, mean", "lowest", "lowest at", "highest", "highest at")
        cells = zip(*map(self._line, self.values()), strict=True)
        columns = [Column(name, column, bar=name is heads[0]) for name, column in zip(heads, cells, strict=True)]
        caption = f"{self.prompted} tokens of a prompt, {len(self.tokens) - self.prompted} written after it"
        return Table(self.parts, columns, title=self.model_id, caption=caption, changed=self.changed)

    def _line(self, values: np.ndarray) -> tuple[float | str, ...]:
        """Of one part: its mean over the tokens it read, and the two ends with the tokens they stand at."""
        if np.isnan(values).all():
            return (math.nan, math.nan, "", math.nan, "")
        low, high = int(np.nanargmin(values)), int(np.nanargmax(values))
        return (float(np.nanmean(values)), float(values[low]), self._at(low), float(values[high]), self._at(high))

    def _at(self, place: int) -> str:
        return f"{place} {self.tokens[place]!r}"

    @property
    def _size(self) -> str:
        return f"{len(self.parts)} parts by {len(self.tokens)} tokens"
