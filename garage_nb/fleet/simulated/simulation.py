"""Simulation: what the real driver makes of a simulated cluster, with results that were prepared before."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ...core.sealed import digest
from ...view.bars import Column, Table
from ...view.frames import framed
from ...view.shown import Shown
from ..driving.driver import Settled, drive
from ..driving.ledger import Ledger
from ..driving.task import Task
from .cluster import Cluster, Simulated
from .delayed import Span

if TYPE_CHECKING:
    import pandas as pd

LATE = 0.95  # of all runs: when so many had begun there was still enough to do
SAID = {
    "chunks": "chunks",
    "runs": "runs of them",
    "deaths": "deaths of workers",
    "aside": "set aside",
    "lost": "lost",
    "twice": "counted twice",
    "seconds": "seconds from the first run to the last result",
    "ideal": "seconds if every worker had been busy throughout",
    "utilisation": "share of the workers' time that was work",
    "steady": "the same until 95 % of the runs had begun",
    "rate": "chunks a second",
    "driving": "seconds of the driver's own thread, a chunk",
}


@dataclass(frozen=True)
class Prepared:
    """A chunk whose result is known before. One that is `poisoned` fails wherever it runs."""

    number: int
    data: bytes
    poisoned: bool = False

    @cached_property
    def key(self) -> str:
        return digest(f"prepared {self.number} {self.poisoned} ".encode() + self.data)

    @property
    def where(self) -> str:
        return f"chunk {self.number}"

    def run(self) -> bytes:
        if self.poisoned:
            raise ArithmeticError("poisoned")
        return self.number.to_bytes(8, "big") + self.data

    def pieces(self) -> Sequence[Prepared]:
        return [self]

    def without(self, pieces: Sequence[Task]) -> Prepared | None:
        return None if self in pieces else self


@dataclass(frozen=True, repr=False, kw_only=True)
class Simulation(Shown):
    """Real seconds of the real driver; only the work is simulated. `lost` and `twice` are counted by what came out."""

    workers: int
    chunks: int
    runs: int
    deaths: int
    aside: int
    lost: int
    twice: int
    seconds: float
    ideal: float
    utilisation: float
    steady: float
    rate: float
    driving: float

    def frame(self) -> pd.DataFrame:
        """One row."""
        found = asdict(self)
        workers = found.pop("workers")
        return framed("workers", [workers], list(found), [tuple(found.values())])

    def picture(self) -> Table:
        values = [round(self.rate) if name == "rate" else getattr(self, name) for name in SAID]
        return Table(list(SAID.values()), [Column("", values)], title=f"{self.workers:,} simulated workers")


def simulation(cluster: Cluster, chunks: int, data: bytes = b"", poisoned: int = 0, beside: str = "") -> Simulation:
    """So many chunks, each with `data` for its result, of which so many are poisoned, evenly spread. The ledger is a
    new one in the folder `beside`, and gone afterwards. Errors as of `drive`.
    """
    bad = {number * chunks // poisoned for number in range(poisoned)}
    tasks = [Prepared(number, data, number in bad) for number in range(chunks)]
    with TemporaryDirectory(dir=beside or None) as folder, Simulated(cluster) as crew:
        began, own = time.monotonic(), time.thread_time()
        came = Counter(map(_right(tasks), drive(tasks, crew, Ledger(folder))))
        driving, over = time.thread_time() - own, time.monotonic()
    late = sorted(one.start for one in crew.spans)[int(LATE * len(crew.spans))]
    busy = _busy(crew.spans, over)
    return Simulation(
        workers=cluster.workers,
        chunks=chunks,
        runs=len(crew.spans),
        deaths=sum(one.died for one in crew.spans),
        aside=sum(came[number] for number in bad),
        lost=sum(number not in came for number in range(chunks)),
        twice=sum(came[number] > 1 for number in range(chunks)),
        seconds=over - began,
        ideal=busy / cluster.workers,
        utilisation=busy / cluster.workers / (over - began),
        steady=_busy(crew.spans, late) / cluster.workers / (late - began),
        rate=chunks / (over - began),
        driving=driving / chunks,
    )


def _right(tasks: Sequence[Prepared]) -> Callable[[Settled], int | None]:
    """The number of what came out as it should: aside where it is poisoned, else what the task makes."""

    def number(settled: Settled) -> int | None:
        task = tasks[settled.number]
        expected = None if task.poisoned else task.run()
        return settled.number if settled.data == expected else None

    return number


def _busy(spans: Sequence[Span], until: float) -> float:
    """Seconds of all workers together."""
    return sum(min(one.end, until) - one.start for one in spans if one.start < until)
