"""Crew: where workers come from. The driver asks for an Executor, and for another one when that is broken."""

from __future__ import annotations

from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import Protocol


class Crew(AbstractContextManager["Crew"], Protocol):
    """Entered before the first hire; leaving it ends what it started and nothing else."""

    @property
    def name(self) -> str:
        """As one asks for it: here, pool, dask, ipyparallel."""

    @property
    def workers(self) -> int:
        """How many tasks can run at once, now."""

    def hire(self) -> Executor:
        """One ready to work. Asked again after a BrokenExecutor: a new one, or EngineError where there can be none."""
