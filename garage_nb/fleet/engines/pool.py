"""Pool: processes of our own on this machine. One that dies is replaced, and the others keep what they have loaded."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from queue import SimpleQueue
from typing import Any, final

from ...core.files import reason
from ...core.threads import thread_for
from ...errors import EngineError
from ..driving.died import WorkerDied
from .process import Process


@final
class Pool(AbstractContextManager["Pool"]):
    """`workers` processes, as many as there are cores where nothing is said."""

    name = "pool"

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or _cores()
        self._executor: _Processes | None = None

    def __exit__(self, *failure: object) -> None:
        """In a thread, so that another interrupt cannot leave half of it."""
        if self._executor is not None:
            ending = thread_for(self._executor.shutdown, "pool")
            self._executor = None
            ending.start()
            ending.join()

    def hire(self) -> Executor:
        """All of them are ready when this returns. EngineError when one cannot start."""
        if self._executor is None:
            self._executor = _Processes(self.workers)
            self._executor.start()
        return self._executor


class _Processes(Executor):
    """A thread for each place asks the process there. One that died is replaced when its place is needed next."""

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, "garage_nb pool")
        self._places: SimpleQueue[Process | None] = SimpleQueue()
        self._started: set[Process] = set()
        self._lock, self._is_over, self._count = threading.Lock(), False, count

    def start(self) -> None:
        """Side by side, since each takes a while; in threads, since an interrupt would leave one half started."""
        for starting in [self._threads.submit(self._another) for _ in range(self._count)]:
            self._places.put(starting.result())

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        return self._threads.submit(self._ask, partial(work, *given, **named))

    def _ask(self, call: Callable[[], Any]) -> Any:
        process = self._places.get()
        try:
            process = process or self._another()
            return process.ask(call)
        except WorkerDied:
            self._started -= {process}
            process = None
            raise
        finally:
            self._places.put(process)

    def _another(self) -> Process:
        process = self._fresh()
        process.demand_ready()
        return process

    def _fresh(self) -> Process:
        with self._lock:
            if self._is_over:
                raise WorkerDied
            try:
                process = Process()
            except OSError as error:
                raise EngineError(
                    f"Of the pool's {self._count} workers one cannot be started: {reason(error)}.",
                    "Ask for fewer, as in pool:2.",
                ) from error
            self._started.add(process)
        return process

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """At once: what runs is ended with its process."""
        self._threads.shutdown(wait=False, cancel_futures=cancel_futures)
        with self._lock:
            self._is_over = True
        for process in list(self._started):
            process.end()
        self._threads.shutdown(wait=wait)


def _cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
