"""Line: the jobs that are not settled, and which of them runs next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from .flight import Flight
from .job import Job
from .task import Task


class Line:
    """In the order of the tasks, which are drawn as there is room for them."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._fresh = (Job(number, task) for number, task in enumerate(tasks))
        self._jobs: deque[Job] = deque()
        self._ready: deque[Job] = deque()
        self._suspected: deque[Job] = deque()
        self._same: dict[str, list[Job]] = {}  # by key of what is under way, those that wait for its result

    def __len__(self) -> int:
        return len(self._jobs)

    def due(self) -> Job | None:
        """The first, when its result is there."""
        return self._jobs[0] if self._jobs and self._jobs[0].trial is None else None

    def settle(self) -> None:
        self._jobs.popleft()

    def put(self, job: Job) -> None:
        """It has a trial to run, before all that wait. One that is alone waits until nothing is under way."""
        (self._suspected if job.alone else self._ready).appendleft(job)

    def next(self, flight: Flight, busy: int, ahead: int) -> Job | None:
        """None while there is enough under way or not settled, or nothing left."""
        if flight.is_closed:
            return None
        if self._suspected:
            return None if flight else self._suspected.popleft()
        if len(flight) >= busy:
            return None
        if self._ready:
            return self._ready.popleft()
        return self._drawn() if len(self._jobs) < ahead else None

    def _drawn(self) -> Job | None:
        job = next(self._fresh, None)
        if job is not None:
            self._jobs.append(job)
        return job

    def claim(self, key: str, job: Job) -> bool:
        """Whether it may fly: of one key one does, and others wait until that is over."""
        if key not in self._same:
            self._same[key] = []
            return True
        self._same[key].append(job)
        return False

    def over(self, key: str) -> None:
        """Those who waited for it are to be looked at again."""
        self._ready.extendleft(reversed(self._same.pop(key)))
