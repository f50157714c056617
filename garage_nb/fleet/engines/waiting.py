"""Waiting for what a cluster does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK = 0.02  # seconds between two looks


def comes(true: Callable[[], bool], patience: float) -> bool:
    """Whether it does within so many seconds."""
    until = time.monotonic() + patience
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK)
    return True
