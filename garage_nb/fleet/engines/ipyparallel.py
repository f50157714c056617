"""ipyparallel: engines of a controller, on this machine or on many.

Its messages are signed with a key that stands in the connection file: whoever has the file can run code on the engines.
An engine that dies is not replaced by ipyparallel; those started here are replaced by us.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, final

from ...errors import EngineError, InputError
from .errands import Errands
from .local_engines import LocalEngines
from .needed import needed


@final
class IpyparallelCrew(AbstractContextManager["IpyparallelCrew"]):
    """On the engines of that view or client, which are left as they are; without one on engines of this machine."""

    name = "ipyparallel"

    def __init__(self, view: Any = None) -> None:
        self._given = view
        self._own: LocalEngines | None = None
        self._executor = Errands(self._send)
        self._stack = ExitStack()

    def __enter__(self) -> IpyparallelCrew:
        needed("ipyparallel", "ipyparallel")
        with ExitStack() as stack:
            if self._given is None:
                self._own = stack.enter_context(LocalEngines())
            self._view = _balanced(self._given if self._own is None else self._own.client)
            stack.callback(self._executor.shutdown, wait=False, cancel_futures=True)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    @property
    def workers(self) -> int:
        return max(1, len(self._alive))

    def hire(self) -> Executor:
        """EngineError when no engine is left of those that were given."""
        if self._own is not None:
            self._own.complete()
        if not self._alive:
            raise EngineError(
                "No ipyparallel engine is left.", "What was done is kept: start engines, then run it again."
            )
        return self._executor

    @property
    def _alive(self) -> list[int]:
        """Of those that the view was made for."""
        there, meant = self._view.client.ids, self._view.targets
        return [engine for engine in there if meant is None or engine in meant]

    def _send(self, call: Callable[[], Any]) -> _Errand:
        if not self._alive:  # the controller would keep it until somebody starts one
            raise BrokenExecutor("no engine is left")
        return _Errand(self._view.client, self._view.apply_async(_tried, call), self._heard)

    def _heard(self, over: Callable[[], None]) -> None:
        over()
        if not self._alive:
            self._executor.abandon(BrokenExecutor("no engine is left"))


@dataclass(frozen=True)
class _Errand:
    client: Any
    result: Any
    heard: Callable[[Callable[[], None]], None]

    def tell(self, over: Callable[[], None]) -> None:
        self.result.add_done_callback(lambda _: self.heard(over))

    def outcome(self) -> Any:
        from ipyparallel.error import RemoteError

        try:
            value, error = self.result.result()
        except RemoteError as told:
            raise _meant(told) from None
        if error is not None:
            raise error
        return value

    def cancel(self) -> None:
        """What no engine has begun is not begun."""
        if self.client.ids:
            self.client.abort(self.result, block=False)


def _tried(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """Runs on the engine. An error travels whole: ipyparallel would send its text."""
    try:
        return call(), None
    except Exception as error:
        return None, error


def _meant(told: Any) -> Exception:
    """What kept an engine from trying."""
    if told.ename == "EngineError":
        return BrokenExecutor("its engine died")
    if told.ename in ("ImportError", "ModuleNotFoundError"):
        return ImportError(told.evalue)
    return RuntimeError(f"{told.ename}: {told.evalue}")


def _balanced(given: Any) -> Any:
    """A view of our own, so that nothing is set on theirs."""
    from ipyparallel import Client
    from ipyparallel.client.view import View

    if isinstance(given, Client):
        return given.load_balanced_view()
    if isinstance(given, View):
        return given.client.load_balanced_view(given.targets)
    raise InputError(f"A {type(given).__name__} is no view of ipyparallel.", "Give the view itself, or its client.")
