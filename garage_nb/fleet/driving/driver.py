"""Driver: every task's result exactly once and in order, whatever dies meanwhile.

Results go to the ledger as they come and are read from it in the order of the tasks, so that only tasks are held in
memory. A key that is in the ledger is not run, and tasks of one key are run once. How what fails is tried again is said
in course.py. When an executor breaks, all that was under way is run again, each alone, so that whoever kills a worker
is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import EngineError, LedgerError
from ..corpus.text import SetAside
from ..engines.crew import Crew
from .blame import cancelled, demand_versions, why_of
from .flight import Flight
from .job import Job
from .ledger import Ledger
from .line import Line
from .pace import Pace, Progress
from .task import Report, Task

if TYPE_CHECKING:
    from ...core.cancel import Cancel

BUSY = 2  # trials under way for each worker: one that runs and one that is ready for it
AHEAD = 8  # tasks for each worker that may be done before their turn, once something has passed
PATIENCE = 0.1  # seconds between two looks whether to stop
LOSSES = 2  # times that a result is done again because it was gone when its turn came


@dataclass(frozen=True)
class Settled:
    """Of task `number`, from 0. `data` is what is left of it, None when all of it was set aside."""

    number: int
    data: bytes | None
    aside: tuple[SetAside, ...]


def drive(
    tasks: Iterable[Task],
    crew: Crew,
    ledger: Ledger,
    cancel: Cancel | None = None,
    tell: Callable[[Progress], None] | None = None,
) -> Iterator[Settled]:
    """Each task's result, in order, as soon as it and those before it are there. The crew has been entered.

    EngineError, LedgerError, KeyboardInterrupt and, when `cancel` is asked for, CancelledError leave all that was done
    in the ledger, and so does closing the iterator.
    """
    work = _Drive(tasks, crew, ledger)
    try:
        while work.goes_on():
            if cancel is not None and cancel.asked:
                raise cancelled()
            yield from work.due()
            if tell is not None:
                tell(work.progress())
            work.listen()
    finally:
        work.end()


class _Drive:
    def __init__(self, tasks: Iterable[Task], crew: Crew, ledger: Ledger) -> None:
        self._crew, self._ledger = crew, ledger
        self._line, self._flight, self._pace = Line(tasks), Flight(crew, self._keep), Pace()
        self._has_passed = False

    def goes_on(self) -> bool:
        """Whether anything is left, once as much is under way as may be."""
        workers, ahead = self._crew.workers, AHEAD if self._has_passed else BUSY
        while (job := self._line.next(self._flight, BUSY * workers, ahead * workers)) is not None:
            self._start(job)
        return len(self._line) > 0

    def _start(self, job: Job) -> None:
        """Its trial, unless the ledger has what that would give or another of its key is under way."""
        while job.trial is not None and job.trial.key in self._ledger:
            self._learn(job, None)
        if job.trial is not None and self._line.claim(job.trial.key, job):
            self._flight.start(job, job.trial)

    def due(self) -> Iterator[Settled]:
        """Those whose turn it is. One whose result is gone is done again."""
        while (job := self._line.due()) is not None and self._is_believed(job):
            data = None if job.task is None else self._ledger.get(job.task.key)
            if data is None and job.task is not None:
                self._do_again(job, job.task)
                return
            self._line.settle()
            yield Settled(job.number, data, job.aside)

    def _is_believed(self, job: Job) -> bool:
        """That every piece of it is bad is believed when something passes. EngineError when nothing does."""
        if self._has_passed or job.task is not None or len(job.aside) == 1:
            return True
        if self._flight:
            return False
        raise EngineError(
            f"Nothing passes. The first that was tried is {job.aside[0].where}: {job.aside[0].why}.",
            "So it is hardly the one that is at fault. Try a few alone on the engine `here`.",
        )

    def _do_again(self, job: Job, task: Task) -> None:
        job.lost += 1
        if job.lost > LOSSES:
            raise LedgerError(
                f"What is written of {task.where} is damaged whenever it is read: {self._ledger.folder}",
                "Name a folder on another disk, and run it again.",
            )
        job.begin(task)
        self._line.put(job)

    def progress(self) -> Progress:
        return self._pace.progress(len(self._flight))

    def listen(self) -> None:
        """To what has landed."""
        for job, failure in self._flight.landed(PATIENCE):
            assert job.trial is not None
            self._line.over(job.trial.key)
            if isinstance(failure, BrokenExecutor) and not job.alone:
                job.alone = True
            else:
                self._learn(job, None if failure is None else why_of(failure))
            if job.trial is not None:
                self._line.put(job)

    def _learn(self, job: Job, why: str | None) -> None:
        job.learn(why)
        self._has_passed = self._has_passed or why is None
        if job.trial is None and not job.lost:
            self._pace.step(job)

    def _keep(self, report: Report) -> None:
        demand_versions(report)
        self._ledger.put(report.key, report.data)

    def end(self) -> None:
        self._flight.end()
