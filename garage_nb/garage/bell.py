"""Bell: tells whoever listens that the garage has changed. It keeps nobody alive."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakMethod


class Bell:
    def __init__(self) -> None:
        self._listeners: list[WeakMethod[Callable[[], None]]] = []

    def listen(self, method: Callable[[], None]) -> None:
        """A bound method, for as long as the object it is bound to lives."""
        self._listeners = [one for one in self._listeners if one() is not None] + [WeakMethod(method)]

    def ring(self) -> None:
        for listener in list(self._listeners):
            method = listener()
            if method is not None:
                method()
