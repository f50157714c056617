"""PatchGrid: how much of the clean run's answer each place brings back, parts by positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..plain import shorten
from ..view.bars import Column, Table, number
from ..view.figure import Plot
from ..view.frames import framed
from ..view.shown import Drawn

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ROWS, COLUMNS = 40, 6  # of a table; the frame holds them all
DIGITS = 4  # behind the point: what is smaller is rounding of the model's
WORD = 16  # characters of a token above a column
MEASURES = ("recovery", "metric", "estimate")


@dataclass(frozen=True)
class Span:
    """Tokens that are patched together: as they are said, and where that is a single one its text in both prompts."""

    said: str
    clean: str = ""
    corrupt: str = ""

    @property
    def name(self) -> str:
        if not self.clean:
            return self.said
        return repr(self.clean) if self.clean == self.corrupt else f"{self.clean!r} for {self.corrupt!r}"


@dataclass(frozen=True)
class Contrast:
    """Two prompts, and what the metric says of the model untouched by patches under each."""

    clean: str
    corrupt: str
    label: str
    of_clean: float
    of_corrupt: float

    def recovery(self, values: Tensor) -> Tensor:
        """(metric − corrupt) / (clean − corrupt): 0 where nothing changed, 1 where the clean answer is back."""
        return (values - self.of_corrupt) / (self.of_clean - self.of_corrupt)


@dataclass(frozen=True, eq=False, repr=False)
class PatchGrid(Drawn):
    """`values` are the metric with the clean run's hidden states put into the corrupt run at one place, parts by spans.

    `estimate` is the same from one backward pass; it stands beside the values, or in their place where they are None.
    With a `receiver` the parts are senders, and only what goes straight from them to that place is the clean run's.
    """

    model_id: str
    contrast: Contrast
    parts: tuple[str, ...]
    spans: tuple[Span, ...]
    values: Float[Tensor, "parts spans"] | None
    estimate: Float[Tensor, "parts spans"] | None = None
    receiver: str = ""

    @property
    def shown(self) -> Float[Tensor, "parts spans"]:
        """The metric as measured, or as estimated where it was not."""
        return self._held("metric") if self.values is not None else self._held("estimate")

    @property
    def recovery(self) -> Float[Tensor, "parts spans"]:
        """(metric − corrupt) / (clean − corrupt). Below 0 and above 1 are possible."""
        return self.contrast.recovery(self.shown)

    @property
    def correlation(self) -> float:
        """Pearson's r of estimated with measured recovery over all cells; NaN where one of them is the same everywhere.

        InputError where only one of them is there.
        """
        pairs = torch.stack([self._held("metric").flatten(), self._held("estimate").flatten()])
        if pairs.shape[1] < 2 or bool((pairs.std(dim=1) == 0).any()):
            return float("nan")
        return float(torch.corrcoef(pairs)[0, 1])

    def best(self, top: int = 5) -> list[tuple[str, str, float]]:
        """The places that bring back most: part, tokens, recovery."""
        flat = self.recovery.flatten()
        order = flat.argsort(descending=True, stable=True)[:top].tolist()
        width = len(self.spans)
        return [(self.parts[at // width], self.spans[at % width].said, float(flat[at])) for at in order]

    def frame(self) -> pd.DataFrame:
        """One row a part and span."""
        tables = {"metric": self.values, "estimate": self.estimate}
        there = {name: table.flatten().tolist() for name, table in tables.items() if table is not None}
        columns = ["clean_token", "corrupt_token", *there, "recovery"]
        keys = [(part, span.said) for part in self.parts for span in self.spans]
        words = [(span.clean, span.corrupt) for _ in self.parts for span in self.spans]
        numbers = zip(*there.values(), self.recovery.flatten().tolist(), strict=True)
        rows = [(*pair, *found) for pair, found in zip(words, numbers, strict=True)]
        return framed(("part", "tokens"), keys, columns, rows)

    def plot(self, measure: str = "recovery", ax: Axes | None = None) -> Plot:
        """Parts by positions; heads patched at one span are drawn as layers by heads. An estimate is of the metric."""
        from ..view.plots import grid

        if measure not in MEASURES:
            raise InputError(f"A patch grid has no {measure!r}.", f"There are: {', '.join(MEASURES)}.")
        label = self._label if measure == "recovery" else self.contrast.label
        values = self.recovery if measure == "recovery" else self._held(measure)
        rows, columns, table, across = _arranged(self.parts, [span.name for span in self.spans], values)
        drawn = grid(rows, columns, table, label, across=across, ax=ax)
        words = f"{label}, {len(self.parts)} parts by {len(self.spans)} spans of {self.contrast.corrupt!r}"
        return Plot(drawn, words, self.frame)

    def picture(self) -> Table:
        """The parts and positions where most comes back, in the order of the model and of the text."""
        recovery = self.recovery
        rows, columns = _largest(recovery.abs().amax(1), ROWS), _largest(recovery.abs().amax(0), COLUMNS)
        single = len(self.spans) == 1
        cells = [[round(float(recovery[row, at]), DIGITS) for row in rows] for at in columns]
        heads = [_head(self.spans[at]) for at in columns]
        shown = [Column(head, cell, bar=single, top=1.0) for head, cell in zip(heads, cells, strict=True)]
        return Table([self.parts[row] for row in rows], shown, title=self.contrast.clean, caption=self._caption())

    @property
    def _label(self) -> str:
        through = f", straight to {self.receiver}" if self.receiver else ""
        return "recovery of the clean answer" + through + (", estimated" if self.values is None else "")

    def _caption(self) -> str:
        one = self.contrast
        more = [f"instead of {shorten(one.corrupt, 40)!r}", f"{self._label}: 0 corrupt, 1 clean"]
        more.append(f"{one.label}: {number(one.of_clean)} clean, {number(one.of_corrupt)} corrupt")
        if self.values is not None and self.estimate is not None:
            more.append(f"estimate r = {self.correlation:.3f}")
        if len(self.parts) > ROWS or len(self.spans) > COLUMNS:
            more.append("where it is largest; all in .frame()")
        return " · ".join(more)

    def _held(self, measure: str) -> Tensor:
        held = self.values if measure == "metric" else self.estimate
        if held is None:
            raise InputError(f"The {measure} was not asked for.", "Patch again: --method both.")
        return held


def _head(span: Span) -> str:
    return f"{span.said} {shorten(span.clean, WORD)!r}" if span.clean else span.said


def _largest(amounts: Tensor, most: int) -> list[int]:
    """Where the largest are, in their own order."""
    return sorted(amounts.argsort(descending=True, stable=True)[:most].tolist())


def _arranged(
    parts: Sequence[str], names: Sequence[str], values: Tensor
) -> tuple[list[str], list[str], list[list[float]], str]:
    """Rows, columns, a table and what the columns are: heads of several layers stand side by side."""
    owners = [part.rpartition(".head_")[0] for part in parts]
    wholes = list(dict.fromkeys(owners))
    count = len(parts) // len(wholes)
    square = all(owners) and len(names) == 1 and count > 1
    if not square or owners != [whole for whole in wholes for _ in range(count)]:
        return list(parts), list(names), values.tolist(), "tokens patched"
    heads = [part.rpartition("_")[2] for part in parts[:count]]
    return wholes, heads, values.reshape(len(wholes), count).tolist(), f"head, patched at {names[0]}"
