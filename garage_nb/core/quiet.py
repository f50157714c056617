"""Quiet: transformers' own progress bars, left out for what takes a blink."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SMALL = 100e6  # bytes; larger ones keep their bars


@contextmanager
def quiet_when_small(size: float) -> Iterator[None]:
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging
    hide = 0 < size < SMALL and logging.is_progress_bar_enabled()
    if hide:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if hide:
            logging.enable_progress_bar()
