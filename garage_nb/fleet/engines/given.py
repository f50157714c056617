"""Given: somebody else's Executor. It is used, and never ended."""

from __future__ import annotations

import os
from concurrent.futures import Executor
from contextlib import AbstractContextManager

from ...errors import EngineError


class Given(AbstractContextManager["Given"]):
    """`workers` is how many it has, one for each core where it does not say."""

    def __init__(self, executor: Executor, workers: int | None = None) -> None:
        self._executor, self._hired = executor, False
        self.name = type(executor).__name__
        self.workers: int = workers or getattr(executor, "_max_workers", None) or os.cpu_count() or 1

    def __exit__(self, *failure: object) -> None:
        pass

    def hire(self) -> Executor:
        """Asked again, it is tried first: there is no other."""
        try:
            if self._hired:
                self._executor.submit(int)
        except RuntimeError:
            raise EngineError(
                f"The {self.name} takes no more work: a worker of it died, or it was shut down.",
                "What was done is kept: make a new one and run it again. The engine `pool` replaces what dies.",
            ) from None
        self._hired = True
        return self._executor
