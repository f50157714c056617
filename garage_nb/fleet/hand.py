"""Hand: what tasks that run in this process find ready, and need not open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Hand(Generic[K, V]):
    """A forked process has none of it: torch's threads stay behind, and a live model would wait for them for ever."""

    def __init__(self) -> None:
        self._held: list[tuple[K, V]] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._held.clear)

    @contextmanager
    def holding(self, key: K, value: V) -> Iterator[None]:
        """Several may stand, also of one key, and end in any order."""
        entry = (key, value)
        self._held.append(entry)
        try:
            yield
        finally:
            self._held.remove(entry)

    def find(self, key: K) -> V | None:
        """The latest of that key."""
        return next((value for known, value in reversed(self._held.copy()) if known == key), None)
