"""A Dask scheduler: started on this machine, or found where it is; and what it says when it does not answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from ...errors import EngineError

PATIENCE = 5.0  # seconds in which a scheduler answers
MAIN_HINT = 'In a script, keep what starts workers below `if __name__ == "__main__":`; each of them imports the script.'


@contextmanager
def local(workers: int | None) -> Iterator[Any]:
    """A client of a cluster of this machine's own, ended with the block: processes of one thread each.

    It gives up a task with the first worker that dies under it, so that whoever sent it knows; the worker is replaced.
    """
    from distributed import Client, LocalCluster

    with TemporaryDirectory(prefix="garage-dask-", ignore_cleanup_errors=True) as folder:
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # None takes the port 8787, dashboard or not
                local_directory=folder,
                silence_logs=logging.CRITICAL,
                scheduler_kwargs={"dashboard": False, "allowed_failures": 0},
            )
        except RuntimeError as error:
            raise EngineError(f"Dask's workers do not start: {error}", MAIN_HINT) from None
        with cluster, Client(cluster, set_as_default=False) as client:
            yield client


@contextmanager
def remote(address: str) -> Iterator[Any]:
    """A client of a scheduler that others have started, and that stays."""
    from distributed import Client

    with answering(address):
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    with client:
        yield client


@contextmanager
def answering(place: str) -> Iterator[None]:
    """Whatever way Dask says that nobody is there, or nobody who can work with us, as one error."""
    try:
        yield
    except (OSError, asyncio.TimeoutError, ValueError, TypeError, ImportError) as error:
        raise EngineError(
            f"Dask at {place} cannot be used: {str(error) or 'no answer'}.",
            "See that the scheduler runs there, that it has workers, and that garage-nb is installed on each.",
        ) from None
