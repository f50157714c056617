"""OnePass: a plan asked of every text once, and what has been counted so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ...core.cancel import Cancel
from ...errors import EngineError
from ..corpus.text import SetAside, Text
from ..cutting import chunks_of
from ..driving.driver import Settled, drive
from ..driving.ledger import Ledger
from ..driving.pace import Progress
from ..engines.crew import Crew
from ..readings.plan import Plan
from ..readings.record import Record, from_bytes, merged
from ..reference import Reference
from ..worker import ChunkTask
from .headway import Headway


@dataclass(eq=False)
class OnePass:
    """Through a crew that has been entered. `record` and `aside` grow with every chunk that is settled."""

    reference: Reference
    plan: Plan
    crew: Crew
    ledger: Ledger
    rows: int
    cancel: Cancel | None = None
    total: int | None = None
    record: Record = field(default_factory=dict)
    aside: list[SetAside] = field(default_factory=list)
    _sent: int = 0
    _counted: int = 0
    _dropped: int = 0
    _chunks: int = 0
    _progress: Progress | None = None

    def over(self, texts: Iterable[Text | SetAside]) -> Iterator[None]:
        """Once after each chunk, in order. EngineError where a text was lost or counted twice: it cannot be."""
        tasks = (ChunkTask(self.reference, self.plan, chunk) for chunk in chunks_of(self._sound(texts), self.rows))
        for settled in drive(tasks, self.crew, self.ledger, self.cancel, self._hear):
            self._settle(settled)
            yield
        self._demand_all()

    @property
    def headway(self) -> Headway:
        rate = None if self._progress is None or not self._chunks else self._progress.rate
        texts_a_chunk = self._counted / self._chunks if self._chunks else 0.0
        return Headway(self._counted, len(self.aside), self.total, rate and rate * texts_a_chunk)

    def _sound(self, texts: Iterable[Text | SetAside]) -> Iterator[Text]:
        for text in texts:
            if isinstance(text, SetAside):
                self.aside.append(text)
            else:
                self._sent += 1
                yield text

    def _settle(self, settled: Settled) -> None:
        self._chunks += 1
        self._dropped += len(settled.aside)
        self.aside += settled.aside
        if settled.data is not None:
            found = from_bytes(settled.data)
            self._counted += texts_of(found)
            self.record = merged(self.record, found)

    def _hear(self, progress: Progress) -> None:
        self._progress = progress

    def _demand_all(self) -> None:
        if self._counted + self._dropped != self._sent:
            raise EngineError(
                f"{self._sent:,} texts were sent out; {self._counted:,} were counted, {self._dropped:,} set aside.",
                "These numbers are wrong, and it is the garage's fault: empty the ledger and ask again.",
            )


def texts_of(record: Record) -> int:
    """How many texts are in it."""
    return int(record["texts"].counts) if "texts" in record else 0  # type: ignore[union-attr]
