"""Survey: what a model does over a corpus, all of it or as far as it has been read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np

from ...core.stats import TAU
from ...core.tokenwise import EDGES, TOKENWISE
from ...errors import InputError, UnknownPartError, nearest
from ...plain import count
from ...snapshot.measures import head, tokenwise
from ...view.bars import Column, Table
from ...view.cards import Card
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn, Picture
from ...view.stacked import Stacked
from ..readings.firing import Firing
from ..readings.kinds import Count
from ..readings.plan import Plan
from ..readings.record import Record, digest
from ..readings.statistics import Statistics
from .aside import LeftOut
from .distribution import COLUMNS, Distribution
from .headway import Headway
from .told import DEFINED, HEADS, not_finite, told

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SHOWN = 64  # rows of a table; the frame holds them all
DIGITS = 16  # of a digest, as far as it is shown


@dataclass(frozen=True, eq=False, repr=False)
class Survey(Drawn):
    """`record` is what was read so far, `whole` whether that is the corpus, `engine` who read it.

    Equal digests mean equal numbers, bit for bit: whoever did the work, and whatever died meanwhile.
    """

    model_id: str
    corpus: str
    plan: Plan
    record: Record
    aside: LeftOut
    headway: Headway
    engine: str
    whole: bool

    @property
    def texts(self) -> int:
        return self._count("texts")

    @property
    def tokens(self) -> int:
        return self._count("tokens")

    @property
    def digest(self) -> str:
        return digest(self.record)

    @cached_property
    def found(self) -> dict[tuple[str, str], Distribution]:
        """By part and measure."""
        rows = (row for reading in self.plan.readings for row in told(reading, self.record))
        return {(part, measure): spread for part, measure, spread in rows}

    @property
    def measures(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(measure for _, measure in self.found))

    def parts(self, measure: str) -> list[str]:
        """Where it was read."""
        return [part for part, name in self.found if name == measure]

    def sparsity(self, part: str) -> dict[float, float]:
        """The share of all entries with |x| ≤ threshold · σ of their token, by threshold."""
        readings = [one for one in self.plan.readings if isinstance(one, Statistics) and "sparsity" in one.names]
        known = [place for one in readings for place in one.layers]
        if part not in known:
            raise UnknownPartError(f"The sparsity of {part!r} was not read.", f"Nearest: {nearest(part, known)}.")
        counts = cast(Count, self.record[f"{part} levels"]).counts
        return dict(zip(EDGES, (counts.cumsum() / counts.sum()).tolist(), strict=False))

    def firing(self, part: str) -> np.ndarray:
        """The share of tokens at which each neuron fires, (neurons,)."""
        known = [place for one in self.plan.readings if isinstance(one, Firing) for place in one.layers]
        if part not in known:
            raise UnknownPartError(f"The neurons of {part!r} were not counted.", f"Nearest: {nearest(part, known)}.")
        fired, heard = (cast(Count, self.record[f"{part} {what}"]).counts for what in ("fired", "heard"))
        return np.asarray(fired / heard)

    def frame(self) -> pd.DataFrame:
        """One row a part and measure: over what, over how many, and how it is spread."""
        return framed(("part", "measure"), self.found, COLUMNS, map(astuple, self.found.values()))

    def plot(self, measure: str | None = None, ax: Axes | None = None) -> Plot:
        """The mean of a measure at every part, the first one when left out, and where nine in ten of them lie."""
        from ...view.intervals import intervals

        chosen = self._demanded(measure)
        parts = self.parts(chosen)
        found = [self.found[part, chosen] for part in parts]
        lows, highs = zip(*(one.spread for one in found), strict=True)
        label = f"{self.defined(chosen)}, {found[0].drawn}"
        drawn = intervals(parts, [one.mean for one in found], lows, highs, label=label, ax=ax)
        return Plot(drawn, f"{label}; {self.counted}", self.frame)

    def picture(self) -> Picture:
        tables = [self._table(group) for group in self._groups()]
        about = " · ".join([self.counted, str(self.aside), *self._notes(), self._made()])
        return Stacked([Card(self.model_id, note=about), *tables])

    def _groups(self) -> list[list[str]]:
        """Measures that were read at the same parts, and are spread over the same, stand in one table."""
        groups: dict[tuple[object, ...], list[str]] = {}
        for measure in self.measures:
            parts = self.parts(measure)
            groups.setdefault((self.found[parts[0], measure].told, *parts), []).append(measure)
        return list(groups.values())

    def _table(self, measures: Sequence[str]) -> Table:
        every = self.parts(measures[0])
        parts = every[:SHOWN]
        columns = [column for measure in measures for column in self._columns(measure, parts)]
        first = self.found[every[0], measures[0]]
        more = [f"{len(every) - len(parts):,} more in .frame()"] if len(every) > len(parts) else []
        return Table(parts, columns, caption=" · ".join([first.told, *more]))

    def _columns(self, measure: str, parts: Sequence[str]) -> Iterator[Column]:
        found = [self.found[part, measure] for part in parts]
        yield Column(HEADS.get(measure) or head(measure, self._tau), [one.mean for one in found], bar=True)
        if any(math.isfinite(end) for one in found for end in one.spread):
            for number, name in enumerate(found[0].ends):
                yield Column(name, [one.spread[number] for one in found])

    def defined(self, measure: str) -> str:
        """What it is, with the threshold where there is one."""
        return tokenwise(measure, self._tau) if measure in TOKENWISE else DEFINED.get(measure, measure)

    @property
    def read(self) -> str:
        """What was counted, in words."""
        return f"{count(self.texts, 'text')}, {count(self.tokens, 'token')} of {self.corpus}"

    @property
    def counted(self) -> str:
        """How much of the corpus this is of, in words."""
        return self.read if self.whole else f"so far {self.headway}"

    def _notes(self) -> Iterator[str]:
        """What else the numbers depend on."""
        if edits := self.plan.edited.number:
            yield f"{count(edits, 'edit')} in force"
        if bad := not_finite(self.plan.readings, self.record):
            part, tokens = next(iter(bad.items()))
            more = f" and {count(len(bad) - 1, 'more place')}" if len(bad) > 1 else ""
            yield f"NaN or infinite, and left out: {count(tokens, 'token')} of {part}{more}"

    def _made(self) -> str:
        return f"engine {self.engine}, digest {self.digest[:DIGITS]}"

    @property
    def _tau(self) -> float:
        return next((one.tau for one in self.plan.readings if isinstance(one, Statistics)), TAU)

    def _count(self, name: str) -> int:
        return int(cast(Count, self.record[name]).counts) if name in self.record else 0

    def _demanded(self, measure: str | None) -> str:
        if not self.measures:
            raise InputError("Nothing has been read yet.", "Wait for the first texts.")
        if measure is not None and measure not in self.measures:
            raise InputError(f"{measure!r} was not asked of this corpus.", f"There is: {', '.join(self.measures)}.")
        return measure or self.measures[0]
