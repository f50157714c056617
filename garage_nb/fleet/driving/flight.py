"""Flight: what is under way on an executor, and on the next one when that breaks.

What comes back is kept by threads as it comes, for the disk takes its time; a trial has landed when its result is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue

from ..engines.crew import Crew
from .job import Job
from .task import Report, Task, done

WRITERS = 8


class Flight:
    """Nobody is hired before there is something to do. `keep` is called in threads, and what it raises lands."""

    def __init__(self, crew: Crew, keep: Callable[[Report], None]) -> None:
        self._crew, self._keep = crew, keep
        self._executor: Executor | None = None
        self._broken = False
        self._under_way: dict[Job, Future[Report]] = {}
        self._writers = ThreadPoolExecutor(WRITERS, "garage_nb ledger")
        self._landed: SimpleQueue[tuple[Job, BaseException | None]] = SimpleQueue()

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def is_closed(self) -> bool:
        """To more, until those under way are back: after a break, and while one flies alone."""
        return bool(self._under_way) and (self._broken or next(iter(self._under_way)).alone)

    def start(self, job: Job, trial: Task) -> None:
        """What an executor refuses that is broken or shut down lands as a break."""
        if self._executor is None or self._broken:
            self._executor, self._broken = self._crew.hire(), False
        try:
            future = self._executor.submit(done, trial)
        except RuntimeError as error:
            future = Future()
            future.set_exception(BrokenExecutor(str(error)))
        job.has_run = True
        self._under_way[job] = future
        future.add_done_callback(lambda future: self._back(job, future))

    def _back(self, job: Job, future: Future[Report]) -> None:
        with suppress(RuntimeError):  # it is over, and nobody waits for this one
            self._writers.submit(self._land, job, future)

    def _land(self, job: Job, future: Future[Report]) -> None:
        failure: BaseException | None = None
        try:
            self._keep(future.result())
        except BaseException as error:
            failure = error
        self._landed.put((job, failure))

    def landed(self, patience: float) -> Iterator[tuple[Job, BaseException | None]]:
        """Those whose trial is over, with how it failed; none after so many seconds without one."""
        while self._under_way:
            try:
                job, failure = self._landed.get(timeout=patience)
            except Empty:
                return
            del self._under_way[job]
            self._broken = self._broken or isinstance(failure, BrokenExecutor)
            yield job, failure
            patience = 0.0

    def end(self) -> None:
        """What waits will not run, what runs is let go, what has come back is kept."""
        for future in self._under_way.values():
            future.cancel()
        self._writers.shutdown(wait=True)
