"""Costs: what a survey costs here, a token, a merge and a byte moved; the figures that an estimate is made from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING, TypeVar

from ..errors import InputError
from ..registry.lift import Lifted
from ..view.bars import Column, Table
from ..view.frames import framed
from ..view.shown import Shown
from .corpus.corpus import Corpus
from .corpus.reading import texts_of
from .corpus.text import Text
from .cutting import ROWS, chunks_of
from .engines.crew import Crew
from .readings.plan import Plan
from .readings.record import from_bytes, merged
from .reference import Reference, at_hand
from .worker import ChunkTask

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
CHUNKS, SENT, TIMES = 8, 1 << 24, 5  # chunks that are read, bytes that are sent, and how often
SAID = {
    "token": ("ms", 1e3, "a token, in one process"),
    "merge": ("ms", 1e3, "to unpack the sums of a chunk and add them"),
    "byte": ("ns", 1e9, "a byte from a worker, in one piece of 16 MiB"),
    "call": ("ms", 1e3, "to ask a worker for nothing"),
}


@dataclass(frozen=True, repr=False, kw_only=True)
class Costs(Shown):
    """Medians, in seconds. `moved` are bytes of a chunk's sums, `tokens` those of an average chunk."""

    engine: str
    token: float
    merge: float
    byte: float
    call: float
    moved: float
    tokens: float

    def frame(self) -> pd.DataFrame:
        """One row a cost, in seconds."""
        rows = [(getattr(self, name), about) for name, (_, _, about) in SAID.items()]
        return framed("cost", list(SAID), ["seconds", "what"], rows)

    def picture(self) -> Table:
        values = [getattr(self, name) * scale for name, (_, scale, _) in SAID.items()]
        columns = [
            Column("", values),
            Column("", [unit for unit, _, _ in SAID.values()]),
            Column("", [about for _, _, about in SAID.values()]),
        ]
        about = f"{self.engine} · {self.tokens:,.0f} tokens and {self.moved:,.0f} bytes of sums a chunk"
        return Table(list(SAID), columns, caption=about)


def costs(lifted: Lifted, corpus: Corpus, plan: Plan, crew: Crew, *, rows: int = ROWS) -> Costs:
    """Of the first eight chunks. What is sent goes through the crew; what is read is read here, in one process.

    InputError for a corpus of fewer than two chunks.
    """
    texts = (one for one in texts_of(corpus, lifted) if isinstance(one, Text))
    chunks = list(islice(chunks_of(texts, rows), CHUNKS))
    if len(chunks) < 2:
        raise InputError(f"{corpus.name} is one chunk, which tells nothing of the next.", f"Give over {rows} texts.")
    reference = Reference.of(lifted)
    tasks = [ChunkTask(reference, plan, chunk) for chunk in chunks]
    with at_hand(reference, lifted):
        tasks[0].run()  # which warms what the others find warm
        read = [_timed(task.run) for task in tasks]
    sizes = [sum(len(text.ids) for text in chunk.texts) for chunk in chunks]
    records = [data for data, _ in read]
    call, sent = _sent(crew)
    return Costs(
        engine=crew.name,
        token=median(seconds / size for (_, seconds), size in zip(read, sizes, strict=True)),
        merge=_merge(records),
        byte=max(sent - call, 0.0) / SENT,
        call=call,
        moved=sum(map(len, records)) / len(records),
        tokens=sum(sizes) / len(sizes),
    )


def _merge(records: Sequence[bytes]) -> float:
    first = from_bytes(records[0])
    return median(_timed(lambda data=data: merged(first, from_bytes(data)))[1] for data in records[1:])  # type: ignore[misc]


def _sent(crew: Crew) -> tuple[float, float]:
    """Seconds of a call that brings nothing, and of one that brings SENT bytes."""
    with crew:
        executor = crew.hire()
        executor.submit(bytes, 1).result()
        return _asked(executor, 1), _asked(executor, SENT)


def _asked(executor: Executor, size: int) -> float:
    return median(_timed(lambda: executor.submit(bytes, size).result())[1] for _ in range(TIMES))


def _timed(run: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    found = run()
    return found, time.perf_counter() - began
