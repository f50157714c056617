"""Delayed: an Executor whose workers only take their time: one thread answers for all of them, each when it is due."""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Protocol, final

from ..driving.died import WorkerDied

Call = tuple[Callable[[], Any], "Future[Any]"]


@dataclass(frozen=True)
class Span:
    """Of one run, in seconds on the clock of `time.monotonic`. Where it `died`, its worker was back at `end`."""

    start: float
    end: float
    died: bool


class Fate(Protocol):
    def drawn(self, worker: int) -> tuple[float, bool]:
        """How many seconds this worker's next run takes, and whether it dies of it."""


@final
class Delayed(Executor):
    """`spans` has every run that is over. What a run returns is worked out when it is due, which must cost little."""

    def __init__(self, workers: int, fate: Fate) -> None:
        self.spans: list[Span] = []
        self._fate, self._number = fate, count()
        self._idle, self._waiting = deque(range(workers)), deque[Call]()
        self._due: list[tuple[float, int, int, Span, Call]] = []
        self._changed, self._is_over = threading.Condition(), False
        self._clock = threading.Thread(target=self._tick, name="garage_nb simulated", daemon=True)
        self._clock.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        call: Call = (partial(fn, *args, **kwargs), Future())
        with self._changed:
            self._waiting.append(call)
            if self._begin(time.monotonic()):
                self._changed.notify()
        return call[1]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify()
        if wait:
            self._clock.join()

    def _begin(self, now: float) -> bool:
        """The next run on the next idle worker. True where it is the first that will be due."""
        while self._idle and self._waiting:
            call = self._waiting.popleft()
            if not call[1].set_running_or_notify_cancel():
                continue
            worker = self._idle.popleft()
            seconds, died = self._fate.drawn(worker)
            span = Span(now, now + seconds, died)
            heapq.heappush(self._due, (span.end, next(self._number), worker, span, call))
            return self._due[0][3] is span
        return False

    def _tick(self) -> None:
        while True:
            with self._changed:
                while not self._is_over and not self._is_due():
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                if self._is_over:
                    return
                _, _, worker, span, call = heapq.heappop(self._due)
                self.spans.append(span)
                self._idle.append(worker)
                self._begin(time.monotonic())
            _answer(span, *call)

    def _is_due(self) -> bool:
        return bool(self._due) and self._due[0][0] <= time.monotonic()


def _answer(span: Span, run: Callable[[], Any], future: Future[Any]) -> None:
    if span.died:
        future.set_exception(WorkerDied())
        return
    try:
        future.set_result(run())
    except Exception as error:
        future.set_exception(error)
