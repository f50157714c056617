"""Latest: work asked for faster than it can be done. One piece is under way, one waits, and the newest takes its place.

A slider asks forty times a second and a run takes longer than that; what lies between is of no interest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .threads import thread_for

T = TypeVar("T")


@dataclass(eq=False)
class _Job(Generic[T]):
    work: Callable[[], T]
    context: Context = field(default_factory=copy_context)
    future: Future[T] = field(default_factory=Future)

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.context.run(self.work))
        except BaseException as error:  # whatever it is, whoever waits for it is told
            self.future.set_exception(error)


class Latest(Generic[T]):
    """Runs work in a thread of its own, in the context of whoever asked; the thread lives while there is work."""

    def __init__(self, name: str = "latest") -> None:
        self.name = name
        self._lock = threading.Lock()
        self._waiting: _Job[T] | None = None
        self._thread: threading.Thread | None = None

    def ask(self, work: Callable[[], T]) -> Future[T]:
        """What was waiting is cancelled. The answer, or the error, is in the future."""
        job = _Job(work)
        with self._lock:
            passed_over, self._waiting = self._waiting, job
            if self._thread is None or not self._thread.is_alive():  # an interrupt may have kept it from starting
                self._thread = thread_for(self._work, self.name)
                self._thread.start()
        if passed_over is not None:
            passed_over.future.cancel()
            passed_over.future.set_running_or_notify_cancel()  # wakes `concurrent.futures.wait` too
        return job.future

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job.run()

    def _next(self) -> _Job[T] | None:
        with self._lock:
            if threading.current_thread() is not self._thread:
                return None
            job, self._waiting = self._waiting, None
            if job is None:
                self._thread = None
            return job
