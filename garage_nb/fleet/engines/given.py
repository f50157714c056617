"""Given: somebody else's Executor. It is used, and never ended."""

from __future__ import annotations

import os
from concurrent.futures import Executor
from contextlib import AbstractContextManager

from ...errors import EngineError


class Given(AbstractContextManager["Given"]):
    """`workers` is how many it has, one for each core where it does not say."""

    def __init__(self, executor: Executor, workers: int | None = None) -> None:
        self._executor, self._used = executor, False
        self.name = type(executor).__name__
        self.workers: int = workers or getattr(executor, "_max_workers", None) or os.cpu_count() or 1

    def __exit__(self, *failure: object) -> None:
        pass

    def hire(self) -> Executor:
        if self._used:
            raise EngineError(
                f"The {self.name} is broken: a worker of it died, and only who made it can make another.",
                "Make a new one and run it again; what was done is kept. An engine by name replaces what dies.",
            )
        self._used = True
        return self._executor
