"""Film: parts at every step of a generation, in numbers, from the very passes that wrote the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.sites import Read, Reader
from ..core.stats import NAMES, TAU, Statistics, reduce, rows_of
from ..registry.specs import ModelSpec
from ..view.bars import Column, Table
from ..view.figure import Plot
from ..view.frames import framed
from ..view.shown import Drawn
from .measures import defined, demand, head

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


class Film:
    """Hand `taps()` to one generation, then ask for `steps`. Numbers stay on the device until then."""

    def __init__(self, spec: ModelSpec, parts: Sequence[str], tau: float = TAU) -> None:
        self.spec, self.tau = spec, tau
        self._rows: dict[str, list[Tensor]] = {name: [] for name in parts}

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self._rows)

    def taps(self) -> Iterator[Read]:
        return (Read(self.spec.site(name), self._reader(rows)) for name, rows in self._rows.items())

    def steps(self, tokens: Sequence[str]) -> Steps:
        """`tokens` are what was written; the first step read the whole prompt, each other one the token before."""
        taken = torch.stack([row for rows in self._rows.values() for row in rows])  # the one transfer to the host
        lines = iter(taken.tolist())
        frames = {name: tuple(Statistics.from_row(next(lines)) for _ in rows) for name, rows in self._rows.items()}
        return Steps(self.spec.model_id, tuple(tokens), frames, self.tau)

    def _reader(self, rows: list[Tensor]) -> Reader:
        return lambda hidden: rows.append(reduce(rows_of(hidden), self.tau))


@dataclass(frozen=True, repr=False)
class Steps(Drawn):
    """`frames` by part, one Statistics a step. Step 0 is the prompt as a whole, which led to the first of `tokens`."""

    model_id: str
    tokens: tuple[str, ...]
    frames: dict[str, tuple[Statistics, ...]]
    tau: float

    def values_of(self, statistic: str, part: str) -> list[float]:
        return [getattr(one, demand(statistic)) for one in self.frames[part]]

    def frame(self) -> pd.DataFrame:
        """One row a step and part, one column a statistic; `token` is what the step led to."""
        keys = [(step, name) for step in range(self._length) for name in self.frames]
        rows = [(self._token(step), *self.frames[name][step].as_dict().values()) for step, name in keys]
        return framed(("step", "part"), keys, ["token", *NAMES], rows)

    def plot(self, statistic: str = "norm", ax: Axes | None = None) -> Plot:
        """One statistic, parts by steps."""
        from ..view.plots import grid

        values = [self.values_of(statistic, name) for name in self.frames]
        tokens = [repr(self._token(step)) for step in range(self._length)]
        label = defined(statistic, self.tau)
        drawn = grid(list(self.frames), tokens, values, label, across="the token each step led to", ax=ax)
        words = f"{head(statistic, self.tau)} of {len(values)} parts of {self.model_id}, step by step"
        return Plot(drawn, words, self.frame)

    def picture(self) -> Table:
        steps = range(self._length)
        columns = [Column("leads to", [repr(self._token(step)) for step in steps])]
        columns += [Column(f"norm of {name}", self.values_of("norm", name)) for name in self.frames]
        names = [str(step) for step in steps]
        return Table(names, columns, title=self.model_id, caption="step 0 is the whole prompt")

    @property
    def _length(self) -> int:
        return max(map(len, self.frames.values()), default=0)

    def _token(self, step: int) -> str:
        return self.tokens[step] if step < len(self.tokens) else ""
