"""PatchGrid: how much of the clean run's answer each place brings back, parts by positions, over pairs of prompts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from ...plain import shorten
from ...view.bars import Column, Table, number
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..bootstrap import Interval, bootstrap
from .contrast import Contrast, Span
from .correlation import correlation, correlation_interval
from .patch_plot import patch_plot

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ROWS, COLUMNS = 40, 6  # of a table; the frame holds them all
DIGITS = 4  # behind the point: what is smaller is rounding of the model's
WORD = 16  # characters of a token above a column
MEASURES = ("recovery", "metric", "estimate")


@dataclass(frozen=True, eq=False, repr=False)
class PatchGrid(Drawn):
    """`values` are the metric with the clean run's hidden states put into the corrupt run at one place, pair by pair.

    `estimate` is the same from one backward pass; it stands beside the values, or in their place where they are None.
    With a `receiver` the parts are senders, and only what goes straight from them to that place is the clean run's.
    """

    model_id: str
    contrast: Contrast
    parts: tuple[str, ...]
    spans: tuple[Span, ...]
    values: Float[Tensor, "pairs parts spans"] | None
    estimate: Float[Tensor, "pairs parts spans"] | None = None
    receiver: str = ""
    seed: int = 0

    @property
    def shown(self) -> Float[Tensor, "parts spans"]:
        """The metric as measured, or as estimated where it was not; the mean over pairs."""
        return self._first.mean(dim=0)

    @cached_property
    def recoveries(self) -> Float[Tensor, "pairs parts spans"]:
        """(metric − corrupt) / (clean − corrupt) of each pair. Below 0 and above 1 are possible."""
        return self.contrast.recovery(self._first)

    @property
    def recovery(self) -> Float[Tensor, "parts spans"]:
        """The mean over pairs of each pair's own."""
        return self.recoveries.mean(dim=0)

    @cached_property
    def interval(self) -> Interval:
        """Of the recovery, (parts, spans) each: a bootstrap over pairs, 95 %. NaN for a single pair."""
        return self._interval(self.recoveries)

    @property
    def correlation(self) -> float:
        """Pearson's r of estimated with measured recovery over all cells; NaN where one of them is the same everywhere.

        InputError where only one of them is there.
        """
        return correlation(*self._both)

    @property
    def correlation_interval(self) -> tuple[float, float]:
        """Of the correlation: a bootstrap over pairs, 95 %. NaN for a single pair."""
        return correlation_interval(*self._both, seed=self.seed)

    def best(self, top: int = 5) -> list[tuple[str, str, float]]:
        """The places that bring back most: part, tokens, recovery."""
        flat = self.recovery.flatten()
        order = flat.argsort(descending=True, stable=True)[:top].tolist()
        width = len(self.spans)
        return [(self.parts[at // width], self.spans[at % width].said, float(flat[at])) for at in order]

    def frame(self) -> pd.DataFrame:
        """One row a part and span: means over pairs, and the interval of the recovery."""
        means = {name: held.mean(dim=0) for name, held in self._held.items()}
        numbers = {**means, "recovery": self.recovery, "low": self.interval.low, "high": self.interval.high}
        keys = [(part, span.said) for part in self.parts for span in self.spans]
        words = [(span.clean, span.corrupt) for _ in self.parts for span in self.spans]
        cells = zip(*(one.flatten().tolist() for one in numbers.values()), strict=True)
        rows = [(*pair, *cell) for pair, cell in zip(words, cells, strict=True)]
        return framed(("part", "tokens"), keys, ["clean_token", "corrupt_token", *numbers], rows)

    def each(self) -> pd.DataFrame:
        """One row a pair, part and span. `of_clean` and `of_corrupt` are the metric without a patch."""
        contrast, shape = self.contrast, self.recoveries.shape
        ends = {name: getattr(contrast, name)[:, None, None].expand(shape) for name in ("of_clean", "of_corrupt")}
        numbers = {**ends, **self._held, "recovery": self.recoveries}
        keys = [(pair, part, span.said) for pair in range(shape[0]) for part in self.parts for span in self.spans]
        words = [(contrast.clean[pair], contrast.corrupt[pair]) for pair, _, _ in keys]
        cells = zip(*(one.flatten().tolist() for one in numbers.values()), strict=True)
        rows = [(*pair, *cell) for pair, cell in zip(words, cells, strict=True)]
        return framed(("pair", "part", "tokens"), keys, ["clean", "corrupt", *numbers], rows)

    def plot(self, measure: str = "recovery", ax: Axes | None = None) -> Plot:
        """Parts by positions; heads patched at one span are drawn as layers by heads. An estimate is of the metric.

        Other parts patched at one span in several pairs are drawn with their intervals.
        """
        if measure not in MEASURES:
            raise InputError(f"A patch grid has no {measure!r}.", f"There are: {', '.join(MEASURES)}.")
        label = self._label if measure == "recovery" else self.contrast.label
        samples = self.recoveries if measure == "recovery" else self._asked(measure)
        names = [span.name if len(self.contrast) == 1 else _head(span) for span in self.spans]
        said = ", ".join(filter(None, (label, self.contrast.counted)))
        drawn = patch_plot(self.parts, names, self._interval(samples), said, signed=measure == "recovery", ax=ax)
        words = f"{said}, {len(self.parts)} parts by {len(self.spans)} spans of {self.contrast.corrupt[0]!r}"
        return Plot(drawn, words, self.frame)

    def picture(self) -> Table:
        """The parts and positions where most comes back, in the order of the model and of the text."""
        recovery = self.recovery
        rows, columns = _largest(recovery.abs().amax(1), ROWS), _largest(recovery.abs().amax(0), COLUMNS)
        single = len(self.spans) == 1
        shown = [Column(_head(self.spans[at]), _rounded(recovery[rows, at]), bar=single, top=1.0) for at in columns]
        if single and len(self.contrast) > 1:
            shown.append(Column("95 % from", _rounded(self.interval.low[rows, 0])))
            shown.append(Column("to", _rounded(self.interval.high[rows, 0])))
        return Table([self.parts[row] for row in rows], shown, title=self.contrast.clean[0], caption=self._caption())

    @property
    def _label(self) -> str:
        through = f", straight to {self.receiver}" if self.receiver else ""
        return "recovery of the clean answer" + through + (", estimated" if self.values is None else "")

    def _caption(self) -> str:
        one = self.contrast
        high, low = (number(float(values.mean())) for values in (one.of_clean, one.of_corrupt))
        more = [f"instead of {shorten(one.corrupt[0], 40)!r}", one.counted, f"{self._label}: 0 corrupt, 1 clean"]
        more.append(f"{one.label}: {high} clean, {low} corrupt")
        if len(self._held) > 1:
            ends = "–".join(f"{end:.3f}" for end in self.correlation_interval if isfinite(end))
            more.append(f"estimate r = {self.correlation:.3f}" + (f" (95 % {ends})" if ends else ""))
        if len(self.parts) > ROWS or len(self.spans) > COLUMNS:
            more.append("where it is largest; all in .frame()")
        return " · ".join(filter(None, more))

    @property
    def _held(self) -> dict[str, Tensor]:
        both = {"metric": self.values, "estimate": self.estimate}
        return {name: table for name, table in both.items() if table is not None}

    @property
    def _first(self) -> Tensor:
        return next(iter(self._held.values()))

    @property
    def _both(self) -> tuple[Tensor, Tensor]:
        """Recoveries, (pairs, cells) each."""
        first, second = (self.contrast.recovery(self._asked(name)).flatten(1) for name in ("metric", "estimate"))
        return first, second

    def _asked(self, measure: str) -> Tensor:
        if measure not in self._held:
            raise InputError(f"The {measure} was not asked for.", "Patch again: --method both.")
        return self._held[measure]

    def _interval(self, samples: Tensor) -> Interval:
        found = vars(bootstrap(samples.flatten(1), seed=self.seed)).values()
        return Interval(*(one.reshape(samples.shape[1:]) for one in found))


def _head(span: Span) -> str:
    return f"{span.said} {shorten(span.clean, WORD)!r}" if span.clean else span.said


def _rounded(numbers: Tensor) -> list[float]:
    return [round(number, DIGITS) for number in numbers.tolist()]


def _largest(amounts: Tensor, most: int) -> list[int]:
    """Where the largest are, in their own order."""
    return sorted(amounts.argsort(descending=True, stable=True)[:most].tolist())
