"""NoSigint: a Dask worker that an interrupt of the notebook does not end.

Interrupting a kernel signals every process it has started, and a worker that hears it is gone, with its model
(dask/distributed#1925). The one module that imports distributed at its top: the plugin is a subclass of theirs.
"""

from __future__ import annotations

import signal
import threading
from typing import Any, final

from distributed import WorkerPlugin


@final
class NoSigint(WorkerPlugin):
    """For all workers of a scheduler, also those that start later; registered twice, it is there once."""

    name = "garage-nb-no-sigint"

    def setup(self, worker: Any) -> None:
        if threading.current_thread() is threading.main_thread():  # it has a process of its own
            signal.signal(signal.SIGINT, signal.SIG_IGN)
