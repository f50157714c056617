"""A Dask scheduler: started on this machine, or found where it is; and what it says when it does not answer."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from ...errors import EngineError, InputError
from .waiting import comes

PATIENCE = 5.0  # seconds in which a scheduler answers
MAIN_HINT = 'In a script, keep what starts workers below `if __name__ == "__main__":`; each of them imports the script.'

# A worker that is missing that long after a death is given up, also one that is just being replaced after another.
_PATIENT = {"distributed.deploy.lost-worker-timeout": "1 hour"}
_SPAWN = "distributed.nanny.pre-spawn-environ"


@contextmanager
def local(workers: int | None) -> Iterator[Any]:
    """A client of a cluster of this machine's own, ended with the block: processes of one thread each.

    It gives up a task with the first worker that dies under it, so that whoever sent it knows; the worker is replaced.
    """
    from dask import config
    from distributed import Client, LocalCluster

    folder = TemporaryDirectory(prefix="garage-dask-", ignore_cleanup_errors=True)
    with folder as files, config.set(_PATIENT), _environment_kept(config.get(_SPAWN)):
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # None takes the port 8787, dashboard or not
                local_directory=files,
                silence_logs=logging.CRITICAL,
                scheduler_kwargs={"dashboard": False, "allowed_failures": 0},
            )
        except RuntimeError as error:
            raise EngineError(f"Dask's workers do not start: {error}", MAIN_HINT) from None
        with cluster, Client(cluster, set_as_default=False) as client:
            yield client


@contextmanager
def _environment_kept(names: Iterable[str]) -> Iterator[None]:
    """What a worker is to find in its environment, a nanny sets in ours."""
    before = {name: os.environ.get(name) for name in (*names, "PYTHONHASHSEED", "__DASK_PARENT_PID")}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})


@contextmanager
def remote(address: str) -> Iterator[Any]:
    """A client of a scheduler that others have started, and that stays."""
    from distributed import Client

    with answering(address):
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    with _quiet("distributed"), _quiet("distributed.client"), client:
        try:
            yield client
        finally:
            comes(lambda: client.status != "connecting", 2 * PATIENCE)  # a lost one tries that long, and then complains


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """A logger whose news comes as an EngineError."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def theirs(client: Any) -> Iterator[Any]:
    """A client that somebody gave, and keeps. InputError for anything else, and for one that is closed."""
    from distributed import Client

    if not isinstance(client, Client):
        raise InputError(f"A {type(client).__name__} is no Dask client.", "Give the client itself: Client(cluster).")
    if client.asynchronous:
        raise InputError("This Dask client is asynchronous.", "Give one that was made without asynchronous=True.")
    if client.status == "closed":
        raise InputError("This Dask client is closed.", "Give one that is open: Client(cluster).")
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
