"""Distribution: how one measure is spread over all that a corpus holds of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from ...analyze.judging.score import Score
from ..readings.grid import quantile
from ..readings.kinds import Count, Tally

Over = Literal["tokens", "texts", "neurons"]
_NORMAL = 1.959964  # of a normal distribution, 95 % lies within so many standard deviations


@dataclass(frozen=True)
class Distribution:
    """Over `count` tokens, texts or neurons. `p5`, `p50` and `p95` are quantiles, NaN where only sums were kept.

    `low` to `high` is the 95 % interval of the mean, over texts; tokens of one text depend on each other and give none.
    """

    over: Over
    count: int
    mean: float = math.nan
    std: float = math.nan
    min: float = math.nan
    max: float = math.nan
    p5: float = math.nan
    p50: float = math.nan
    p95: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @property
    def spread(self) -> tuple[float, float]:
        """Where nine in ten lie; where that was not kept, where the mean may be."""
        return (self.low, self.high) if math.isnan(self.p5) else (self.p5, self.p95)

    @property
    def ends(self) -> tuple[str, str]:
        """What the two of `spread` are called at the head of a column."""
        return ("from", "to") if math.isnan(self.p5) else ("5 %", "95 %")

    @property
    def told(self) -> str:
        """What `mean` and `spread` are, in words."""
        mean = f"mean over {self.over}"
        if not math.isnan(self.p5):
            return f"{mean}, and what 5 % and 95 % of them stay below"
        return mean if math.isnan(self.low) else f"{mean} with its 95 % interval"

    @property
    def drawn(self) -> str:
        """The same beside an axis."""
        if not math.isnan(self.p5):
            return f"mean, 5 % to 95 % of {self.over}"
        return "mean" if math.isnan(self.low) else "mean, 95 % interval"


COLUMNS = tuple(item.name for item in fields(Distribution))


def of_tokens(tally: Tally, number: int, counts: np.ndarray) -> Distribution:
    """One statistic of a tally; quantiles are read off `counts` on the grid, to 1/32 of themselves."""
    least, most = float(tally.low[number]), float(tally.high[number])
    p5, p50, p95 = (min(max(quantile(counts, share), least), most) for share in (0.05, 0.5, 0.95))
    return _of("tokens", tally, (number,), p5=p5, p50=p50, p95=p95)


def of_losses(tally: Tally) -> Distribution:
    """Over tokens, of which only sums are there."""
    return _of("tokens", tally)


def of_texts(tally: Tally) -> Distribution:
    """With the interval of the mean."""
    found = _of("texts", tally)
    half = _NORMAL * float(tally.std) / math.sqrt(found.count - 1) if found.count > 1 else math.nan
    return _of("texts", tally, low=found.mean - half, high=found.mean + half)


def of_neurons(rates: np.ndarray) -> Distribution:
    """Of all that a layer has."""
    mean, std, least, most = map(float, (rates.mean(), rates.std(), rates.min(), rates.max()))
    p5, p50, p95 = np.quantile(rates, (0.05, 0.5, 0.95)).tolist()
    return Distribution("neurons", len(rates), mean, std, least, most, p5, p50, p95)


def of_answers(named: Count) -> Distribution:
    """The share of texts whose label was told, of counts (labels, labels), with Wilson's interval."""
    return _of_share(int(named.counts.trace()), int(named.counts.sum()))


def of_commonest(named: Count) -> Distribution:
    """What always the same answer tells, the most frequent label, of the same counts: a row a true label."""
    return _of_share(int(named.counts.sum(1).max()), int(named.counts.sum()))


def _of_share(right: int, total: int) -> Distribution:
    if not total:
        return Distribution("texts", 0)
    share = right / total
    low, high = Score(right=right, n=total).interval
    return Distribution("texts", total, share, math.sqrt(share * (1 - share)), 0.0, 1.0, low=low, high=high)


def _of(over: Over, tally: Tally, place: tuple[int, ...] = (), **more: float) -> Distribution:
    count = int(tally.n[place])
    if not count:
        return Distribution(over, 0)
    mean, std, least, most = (float(each[place]) for each in (tally.mean, tally.std, tally.low, tally.high))
    return Distribution(over, count, mean, std, least, most, **more)
