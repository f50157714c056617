"""Memory: what was worked out of a model, for as long as the model is the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from torch import nn

from .kept import State, state_of

T = TypeVar("T")
ROOM = 16  # answers


class Memory:
    """Holds answers and never the model. The oldest goes when there is no room."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._known: dict[Hashable, Any] = {}

    def once(self, model: nn.Module, question: Hashable, work: Callable[[], T]) -> T:
        """The answer known, or what `work` answers; always that where it cannot be told whether the model changed."""
        state = state_of(model)
        if state is None:
            return work()
        if state != self._state:
            self._state, self._known = state, {}
        if question not in self._known:
            answer = work()
            while len(self._known) >= ROOM:
                del self._known[next(iter(self._known))]
            self._known[question] = answer
        found: T = self._known[question]
        return found
