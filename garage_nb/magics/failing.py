"""Failing: what an error leaves in a kernel, and how much of it is shown."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import GarageError


@contextmanager
def let_go(*, whole: bool) -> Iterator[None]:
    """The kernel keeps the last error, and with it every frame and tensor of the run it ended. Those are let go.

    With `whole`, nothing is, and the error shows its traceback.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, GarageError):
            error.whole = whole
        if not whole:
            _clear(error)
        raise


def _clear(error: BaseException | None) -> None:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
