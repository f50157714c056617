"""Errands: tasks of a cluster that has futures of its own, as an Executor whose futures `concurrent.futures` knows."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, Protocol, final


class Errand(Protocol):
    """One task at a cluster."""

    def tell(self, over: Callable[[], None]) -> None:
        """Calls `over` once, in any thread, when the task is done, has failed or was cancelled."""

    def outcome(self) -> Any:
        """What it returned. Raises what it raised, or BrokenExecutor where a worker died. Asked when it is over."""

    def cancel(self) -> None:
        """Nobody waits for it any more."""


@final
class Errands(Executor):
    """`send` gives a call to the cluster. Until it is over it can be cancelled: what a worker still does is dropped."""

    def __init__(self, send: Callable[[Callable[[], Any]], Errand]) -> None:
        self._send = send
        self._open: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        errand = self._send(partial(fn, *args, **kwargs))
        future: Future[Any] = Future()
        self._open.add(future)
        future.add_done_callback(partial(self._closed, errand))
        errand.tell(partial(_settle, future, errand))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            for future in list(self._open):
                future.cancel()
        if wait:
            concurrent.futures.wait(list(self._open))

    def abandon(self, error: Exception) -> None:
        """All that is not over ends with that."""
        for future in list(self._open):
            if future.set_running_or_notify_cancel():
                future.set_exception(error)

    def _closed(self, errand: Errand, future: Future[Any]) -> None:
        self._open.discard(future)
        if future.cancelled():
            errand.cancel()


def _settle(future: Future[Any], errand: Errand) -> None:
    """A cancelled or abandoned one stays as it is."""
    if future.done() or not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(errand.outcome())
    except BaseException as error:
        future.set_exception(error)
