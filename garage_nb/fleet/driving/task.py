"""Task: a piece of work that any worker can do, and what it reports."""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from ...core.versions import made_with


class Task(Protocol):
    """A small value that can be sent anywhere: it names what it needs and holds no model."""

    @property
    def key(self) -> str:
        """sha256 of all that the result depends on; the result's name in the ledger."""

    @property
    def where(self) -> str:
        """Which part of the work it is, in words, for whoever reads that it was set aside."""

    def run(self) -> bytes:
        """The same bytes for the same key, wherever it runs."""

    def pieces(self) -> Sequence[Task]:
        """The smallest tasks it is made of, which can be tried one by one; itself where it is one of them."""

    def without(self, pieces: Sequence[Task]) -> Task | None:
        """The same work less these pieces; None when nothing is left."""


@dataclass(frozen=True)
class Report:
    """`seconds` is what the work took on the worker, `worker` its host and process, `versions` what it ran on."""

    key: str
    data: bytes
    seconds: float
    worker: str
    versions: tuple[str, ...]


def done(task: Task) -> Report:
    """What a worker runs."""
    began = time.perf_counter()
    data = task.run()
    worker = f"{socket.gethostname()}:{os.getpid()}"
    return Report(task.key, data, time.perf_counter() - began, worker, versions())


@cache
def versions() -> tuple[str, ...]:
    """Of Python and of everything that numbers depend on, `name version` each."""
    python = ".".join(platform.python_version_tuple()[:2])
    return (f"python {python}", *(f"{name} {number}" for name, number in made_with().items()))
