"""Nannies: who replaces the workers of a Dask cluster of our own, and what they miss.

A nanny learns that its worker runs a moment after the scheduler does. A worker that dies in between is not replaced, so
work waits until all nannies know; and where one has given up all the same, all workers are started anew.
"""

from __future__ import annotations

from typing import Any

from ...errors import EngineError
from .waiting import comes

REPLACED = 30.0  # seconds in which a nanny has replaced a worker
RENEWED = 60.0  # seconds in which all workers are started


def complete(client: Any) -> None:
    """Returns when all workers of its cluster are there and the death of any would be made good."""
    cluster = client.cluster
    count = len(cluster.worker_spec)

    def there() -> bool:
        """The scheduler is asked first: it knows of a death before the nanny does."""
        return len(client.nthreads()) >= count and sum(map(_knows, list(cluster.workers.values()))) == count

    def settled() -> bool:
        return there() or sum(map(_stays, list(cluster.workers.values()))) < count

    if comes(settled, REPLACED) and there():
        return
    cluster.scale(0)
    cluster.scale(count)
    if not comes(there, RENEWED):
        raise EngineError(
            f"Dask's workers on this machine do not come back: {len(client.nthreads())} of {count} are there.",
            "What was done is kept. Run it again with fewer workers, or `--on here`.",
        )


def _knows(nanny: Any) -> bool:
    process = nanny.process
    return process is not None and process.status.name == "running"


def _stays(nanny: Any) -> bool:
    return nanny.status.name not in ("closing", "closed", "failed")
