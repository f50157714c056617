"""Here: the work is done in this process, as it is handed in."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from typing import Any


class Here(AbstractContextManager["Here"]):
    name = "here"
    workers = 1

    def __exit__(self, *failure: object) -> None:
        pass

    def hire(self) -> Executor:
        return _AtOnce()


class _AtOnce(Executor):
    """An interrupt goes through to whoever submits."""

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*given, **named))
        except Exception as error:
            future.set_exception(error)
        return future
