"""Estimate: how long a survey takes on a cluster, by arithmetic; every factor says where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from math import ceil
from typing import TYPE_CHECKING

from ..errors import InputError
from ..view.bars import Column, Table
from ..view.frames import framed
from ..view.shown import Shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Factor:
    """`source` is who measured it and how, or that it is assumed."""

    value: float
    unit: str
    source: str


@dataclass(frozen=True, repr=False, kw_only=True)
class Estimate(Shown):
    """What a token costs grows with the parameters. Workers compute side by side; meanwhile one driver settles and
    merges every chunk, and one line brings their bytes. All that goes on at once, so the slowest of them decides;
    before it, every worker loads the model.

    tokens, chunk            of the corpus, and of one chunk
    parameters, measured     of the model that is asked about, and of the one that was measured
    token                    seconds that a token took of one worker on the measured model
    workers, utilisation     how many, and which share of their time is work
    driving, merging         seconds that the driver's thread takes for a chunk, and for adding its sums
    moved, bandwidth         bytes of a chunk's sums, and bytes a second of the line
    loading                  seconds before the first chunk
    """

    tokens: Factor
    chunk: Factor
    parameters: Factor
    measured: Factor
    token: Factor
    workers: Factor
    utilisation: Factor
    driving: Factor
    merging: Factor
    moved: Factor
    bandwidth: Factor
    loading: Factor

    def __post_init__(self) -> None:
        """InputError for a factor that is no number above 0."""
        for name, factor in self._factors():
            if not 0 < factor.value < float("inf"):
                raise InputError(f"{name} is {factor.value} {factor.unit}.", "Give what was measured, above 0.")

    @property
    def chunks(self) -> int:
        return ceil(self.tokens.value / self.chunk.value)

    @property
    def computing(self) -> float:
        """Seconds of the workers, side by side."""
        one = self.token.value * self.parameters.value / self.measured.value
        return self.tokens.value * one / (self.workers.value * self.utilisation.value)

    @property
    def settling(self) -> float:
        """Seconds of the driver."""
        return self.chunks * (self.driving.value + self.merging.value)

    @property
    def moving(self) -> float:
        """Seconds of the line."""
        return self.chunks * self.moved.value / self.bandwidth.value

    @property
    def hours(self) -> float:
        return (self.loading.value + max(self.computing, self.settling, self.moving)) / 3600

    def frame(self) -> pd.DataFrame:
        """One row a factor, then what follows from them."""
        rows = dict(self._rows())
        return framed("factor", list(rows), ["value", "unit", "source"], [vars(row).values() for row in rows.values()])

    def picture(self) -> Table:
        rows = dict(self._rows())
        columns = [
            Column("", [row.value for row in rows.values()]),
            Column("", [row.unit for row in rows.values()]),
            Column("from", [row.source for row in rows.values()]),
        ]
        return Table(list(rows), columns, title="estimate", caption=f"{self.hours:.3g} hours")

    def _factors(self) -> Iterator[tuple[str, Factor]]:
        yield from ((one.name, getattr(self, one.name)) for one in fields(self))

    def _rows(self) -> Iterator[tuple[str, Factor]]:
        yield from self._factors()
        yield "chunks", Factor(self.chunks, "", "tokens by chunk")
        yield "computing", Factor(self.computing, "s", "the workers")
        yield "settling", Factor(self.settling, "s", "the driver")
        yield "moving", Factor(self.moving, "s", "the line")
        yield "hours", Factor(self.hours, "h", "loading, then the slowest")
