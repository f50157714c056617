"""Cancel: a run stops between two blocks when another thread, or a button, asks it to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ..errors import CancelledError


class Cancel:
    """Asked for once, for good."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ask(self) -> None:
        self._event.set()

    @property
    def asked(self) -> bool:
        return self._event.is_set()

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
