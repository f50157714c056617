"""Two threads that take turns exactly where a test says, without a clock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any

PATIENCE = 60.0  # seconds until a test that hangs fails


class Meeting:
    """One thread calls `pause()` and stands still while the other does something `meanwhile()`."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(2, timeout=PATIENCE)

    def pause(self) -> None:
        self._barrier.wait()
        self._barrier.wait()

    def meanwhile(self, work: Callable[[], Any]) -> Any:
        self._barrier.wait()
        try:
            return work()
        finally:
            self._barrier.wait()


def in_thread(work: Callable[[], Any], *, inherits: bool = False) -> Future[Any]:
    """`work` in a thread of its own. A plain thread starts with an empty context; one that inherits, with ours."""
    future: Future[Any] = Future()
    context = copy_context()

    def run() -> None:
        try:
            future.set_result(context.run(work) if inherits else work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def done(future: Future[Any]) -> Any:
    return future.result(timeout=PATIENCE)
