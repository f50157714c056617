"""Threads of ours: none keeps the process alive, and all are over before the interpreter goes.

One that still runs a model while torch is taken down aborts the process.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from weakref import WeakSet

PATIENCE = 10.0  # seconds that the end of the process waits for a block of a model to be over

_OURS: WeakSet[threading.Thread] = WeakSet()
_ENDING = threading.Event()


def thread_for(work: Callable[[], object], name: str) -> threading.Thread:
    """Not started yet."""
    thread = threading.Thread(target=work, name=f"garage_nb {name}", daemon=True)
    _OURS.add(thread)
    return thread


def is_ending() -> bool:
    """Whether every run is to stop, because the process ends."""
    return _ENDING.is_set()


@atexit.register
def _end() -> None:
    _ENDING.set()
    for thread in list(_OURS):
        if thread.is_alive():
            thread.join(PATIENCE)
    _ENDING.clear()
