"""An executor under which Ctrl-C is pressed after some work."""

from __future__ import annotations

import signal
from concurrent.futures import Executor, Future
from typing import Any


class Pressed(Executor):
    """Does the work at once; after some of it, Ctrl-C is pressed."""

    def __init__(self, after: int) -> None:
        self.after, self.ran = after, 0

    def submit(self, work: Any, /, *given: Any, **named: Any) -> Future[Any]:
        if self.ran == self.after:
            signal.raise_signal(signal.SIGINT)
        self.ran += 1
        future: Future[Any] = Future()
        future.set_result(work(*given, **named))
        return future
