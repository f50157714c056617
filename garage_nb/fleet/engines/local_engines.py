"""Engines of ipyparallel on this machine, with a controller that listens on 127.0.0.1."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import AbstractContextManager, ExitStack
from tempfile import TemporaryDirectory
from typing import Any, final

from ...errors import EngineError
from .waiting import comes

ARRIVAL = 60.0  # seconds in which engines are there
DEPARTURE = 10.0  # seconds in which the controller hears that they are gone

# They find what is found here, and take one thread each: torch reads how many when it is loaded, which is later.
_SETTLE_IN = "import os, sys; sys.path[:] = {path!r}; os.environ['OMP_NUM_THREADS'] = '1'"


@final
class LocalEngines(AbstractContextManager["LocalEngines"]):
    """So many, one a core where not said. Their files are in a folder that goes with them."""

    client: Any

    def __init__(self, count: int | None = None) -> None:
        self._count = count or os.cpu_count() or 1
        self._stack = ExitStack()

    def __enter__(self) -> LocalEngines:
        from ipyparallel import Cluster

        with ExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory(prefix="garage-ipp-", ignore_cleanup_errors=True))
            self._cluster = Cluster(profile_dir=folder, log_level=logging.CRITICAL)
            stack.callback(self._cluster.stop_cluster_sync)
            self._cluster.start_controller_sync()
            self.client = self._cluster.connect_client_sync()
            stack.callback(self.client.close)
            stack.callback(self._dismiss)
            self.complete()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    def _dismiss(self) -> None:
        """While the controller is there to be told: an engine's watcher that cannot tell of its end stays for ever."""
        self._cluster.stop_engines_sync()
        comes(lambda: not self.client.ids, DEPARTURE)

    def complete(self) -> None:
        """Engines for those that are missing. EngineError where they do not come."""
        missing = self._count - len(self.client.ids)
        if not missing:
            return
        self._cluster.start_engines_sync(missing)
        try:
            self.client.wait_for_engines(self._count, timeout=ARRIVAL, interactive=False)
        except TimeoutError as error:
            raise EngineError(
                f"ipyparallel's engines do not start: {len(self.client.ids)} of {self._count} are there.",
                "What was done is kept. Run it again `--on pool`.",
            ) from error
        self.client[:].execute(_SETTLE_IN.format(path=sys.path), block=True)
