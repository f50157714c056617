"""Cancel: a run stops between two blocks when another thread, or a button, asks it to.

Whoever starts a run may bring a Cancel with `cancellable`; a run that is under way on a model is found by the model.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from weakref import WeakKeyDictionary

from torch import nn

from ..errors import CancelledError
from .threads import is_ending


class Cancel:
    """Asked for once, for good. One `within` another is asked for when that is."""

    def __init__(self, within: Cancel | None = None) -> None:
        self._event, self._within = threading.Event(), within
        self.thread = threading.current_thread()

    def ask(self) -> None:
        self._event.set()

    @property
    def asked(self) -> bool:
        return self._event.is_set() or is_ending() or (self._within is not None and self._within.asked)

    def rest(self, seconds: float) -> None:
        """Let so much time pass. CancelledError as soon as it is asked for meanwhile."""
        self._event.wait(seconds)
        self.demand_not_asked()

    def demand_not_asked(self) -> None:
        """CancelledError once it has been asked for."""
        if self.asked:
            raise CancelledError("The run was cancelled before it was done.", "Nothing of it is kept; run it again.")


_CANCEL: ContextVar[Cancel | None] = ContextVar("garage_nb_cancel", default=None)


def cancel_in_force() -> Cancel | None:
    return _CANCEL.get()


@contextmanager
def cancellable(cancel: Cancel | None = None) -> Iterator[Cancel]:
    """Runs inside the block stop with a CancelledError soon after `cancel.ask()`, wherever that is called from."""
    mine = cancel or Cancel()
    before = _CANCEL.get()
    _CANCEL.set(mine)
    try:
        yield mine
    finally:
        _CANCEL.set(before)


_UNDER_WAY: WeakKeyDictionary[nn.Module, Cancel] = WeakKeyDictionary()


@contextmanager
def stoppable(model: nn.Module) -> Iterator[Cancel]:
    """While the block stands, `stop(model)` from any thread ends the run. Only for whoever holds the model's lock."""
    mine = Cancel(cancel_in_force())
    _UNDER_WAY[model] = mine
    try:
        yield mine
    finally:
        _UNDER_WAY.pop(model, None)


def forget_here(model: nn.Module) -> None:
    """After an interrupt that left a run of this thread on record."""
    left = _UNDER_WAY.get(model)
    if left is not None and left.thread is threading.current_thread():
        _UNDER_WAY.pop(model, None)


def stop(model: nn.Module) -> bool:
    """Ask the run under way on a model to end before its next block; False when there is none to ask."""
    under_way = _UNDER_WAY.get(model)
    if under_way is not None:
        under_way.ask()
    return under_way is not None


def cancel_of(model: nn.Module) -> Cancel | None:
    """Of the run under way on a model."""
    return _UNDER_WAY.get(model)
