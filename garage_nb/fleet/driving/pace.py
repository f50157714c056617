"""Pace: how far a drive has come, and how fast it is now."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from .job import Job

RECENT = 30.0  # seconds
FEWEST = 8  # tasks that count as recent, however long they took


@dataclass(frozen=True)
class Progress:
    """Of tasks: `done` so far, of which `from_ledger` were there before; `aside` counts pieces. `rate` is of tasks a
    second that were run lately, from the first one on, so without what getting ready took. None before the second.
    """

    done: int
    from_ledger: int
    aside: int
    under_way: int
    seconds: float
    rate: float | None

    def left(self, total: int) -> float | None:
        """Seconds until so many tasks are done, at the present rate."""
        return (total - self.done) / self.rate if self.rate else None


class Pace:
    """Told of each task that is done."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._done = self._found = self._aside = 0
        self._recent: deque[float] = deque()  # when each was done that was run

    def step(self, job: Job) -> None:
        """One more whose result is there."""
        self._done += 1
        self._aside += len(job.aside)
        if job.has_run:
            self._recent.append(time.monotonic())
        else:
            self._found += 1

    def progress(self, under_way: int) -> Progress:
        now = time.monotonic()
        while len(self._recent) > FEWEST and self._recent[0] < now - RECENT:
            self._recent.popleft()
        since = now - self._recent[0] if self._recent else 0.0
        rate = (len(self._recent) - 1) / since if len(self._recent) > 1 and since else None
        return Progress(self._done, self._found, self._aside, under_way, now - self._began, rate)
