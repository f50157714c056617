"""Dask: workers of a scheduler, on this machine or on many.

Dask sends code (cloudpickle) and obeys whoever reaches its port: there is no authentication unless the address is a
`tls://` one, with the certificates that Dask's own configuration names. What is started here listens on 127.0.0.1.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, final

from .errands import Errands
from .nannies import complete
from .needed import needed
from .scheduler import answering, local, remote, theirs

ARRIVAL = 60.0  # seconds in which a worker of somebody else's is there


@final
class DaskCrew(AbstractContextManager["DaskCrew"]):
    """Through that client, at that address, or with so many `workers` of this machine's own, one a core where not said.

    A client that is given is never closed, nor its cluster. Its scheduler keeps the plugin NoSigint: without it an
    interrupt of the notebook ends the workers that the notebook has started.
    """

    name = "dask"

    def __init__(self, address: str | None = None, client: Any = None, workers: int | None = None) -> None:
        self._address, self._given, self._wanted = address, client, workers
        self._is_own = address is None and client is None
        self._executor = Errands(self._send)
        self._stack = ExitStack()

    def __enter__(self) -> DaskCrew:
        needed("distributed", "dask")
        with ExitStack() as stack:
            self._client = stack.enter_context(self._reached())
            stack.callback(self._executor.shutdown, wait=False, cancel_futures=True)
            self._prepare()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    @property
    def workers(self) -> int:
        with answering(self.address):
            threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def hire(self) -> Executor:
        """The same again: Dask replaces its workers. EngineError when none is there within a minute."""
        with answering(self.address):
            if self._is_own:
                complete(self._client)
            else:
                self._client.wait_for_workers(1, timeout=ARRIVAL)
        return self._executor

    @property
    def address(self) -> str:
        """Where others find the scheduler."""
        return self._address or str(self._client.scheduler.address)

    def _reached(self) -> AbstractContextManager[Any]:
        if self._given is not None:
            return theirs(self._given)
        return remote(self._address) if self._address else local(self._wanted)

    def _prepare(self) -> None:
        """Before any work, since an interrupt may come with the first."""
        from .nosigint import NoSigint

        self.hire()
        with answering(self.address):
            self._client.register_plugin(NoSigint())

    def _send(self, call: Callable[[], Any]) -> _Errand:
        try:
            return _Errand(self._client.submit(call, pure=False))
        except RuntimeError as error:  # a client that was closed
            raise BrokenExecutor(str(error)) from None


@dataclass(frozen=True)
class _Errand:
    future: Any

    def tell(self, over: Callable[[], None]) -> None:
        self.future.add_done_callback(lambda _: over())

    def outcome(self) -> Any:
        """Released at once: the result is kept by whoever asked, and no longer by the worker."""
        from distributed import CancelledError, KilledWorker

        try:
            return self.future.result()
        except KilledWorker:
            raise BrokenExecutor("its worker died") from None
        except CancelledError:
            raise BrokenExecutor("the scheduler was lost") from None
        finally:
            self.future.release()

    def cancel(self) -> None:
        self.future.cancel(force=True)
