"""Process: a worker on this machine, started fresh, with a pipe of its own: its death is known, and nobody else's."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from ...errors import EngineError
from ..driving.died import WorkerDied


class Process:
    """Starts when it is made, and ends with the process that made it at the latest."""

    def __init__(self) -> None:
        fresh = multiprocessing.get_context("spawn")
        self._pipe, theirs = fresh.Pipe()
        self._process = fresh.Process(target=_serve, args=(theirs,), daemon=True)
        with _interrupts_wait():
            self._process.start()
        theirs.close()

    def demand_ready(self) -> None:
        """EngineError when it ends before it can work."""
        try:
            self._pipe.recv()
        except (EOFError, OSError):
            self.end()
            raise EngineError(
                "A worker of the pool ended before it could work.",
                'A script has to start its work under `if __name__ == "__main__":`; or take the engine `here`.',
            ) from None

    def ask(self, call: Callable[[], Any]) -> Any:
        """What it returns, or raises, there. WorkerDied when that ends the process."""
        try:
            self._pipe.send(call)
            has_passed, what = self._pipe.recv()
        except (EOFError, OSError):
            self.end()
            raise WorkerDied from None
        if has_passed:
            return what
        raise what

    def end(self) -> None:
        """At once, whatever it does."""
        self._process.kill()
        self._process.join()


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Also in a process that is started meanwhile."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection) -> None:
    """What a worker does, until nobody is there to ask. An interrupt is for whoever asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded, which is later
    asker = multiprocessing.parent_process()
    assert asker is not None
    with suppress(EOFError, OSError):
        pipe.send("ready")
        while pipe in wait([pipe, asker.sentinel]):
            _reply(pipe, *_outcome(pipe))


def _outcome(pipe: Connection) -> tuple[bool, Any]:
    """Whether the next call passed, and what it returned or raised. EOFError when there is none."""
    try:
        call = pipe.recv()
    except EOFError:
        raise
    except Exception as error:
        return False, error
    try:
        return True, call()
    except BaseException as error:
        return False, error


def _reply(pipe: Connection, has_passed: bool, what: Any) -> None:
    try:
        pipe.send((has_passed, what))
    except OSError:
        raise
    except Exception as error:
        pipe.send((False, RuntimeError(f"{type(what).__name__} cannot be sent back: {error}")))
