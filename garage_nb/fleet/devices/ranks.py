"""Ranks: the processes of one launch, numbered from 0. They end together: with the first that fails, with an
interrupt, with this process, and at the deadline.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

from ...core.cancel import cancel_in_force
from ...errors import EngineError
from .job import Job, failure_in

_PAUSE = 0.05  # seconds between two looks
_LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"


class Ranks(AbstractContextManager["Ranks"]):
    """`python -m program folder rank`, as often as the job says, while the `with` block stands.

    Each holds the reading end of a pipe that closes when this process is gone, however that happens.
    """

    def __init__(self, program: str, folder: Path, job: Job) -> None:
        self._program, self._folder, self._job = program, folder, job
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Ranks:
        try:
            for rank in range(self._job.processes):
                self._running.append(self._started(rank))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *failure: object) -> None:
        self._end()

    def wait(self, seconds: float) -> None:
        """Until all are done. What one of them fails with is raised here; EngineError after so many seconds."""
        until = time.monotonic() + seconds
        while None in (codes := [one.poll() for one in self._running]) or any(codes):
            if any(codes):
                raise failure_in(self._folder) or self._died(codes)
            if time.monotonic() > until:
                raise EngineError(
                    f"{len(codes)} processes were not done in {seconds:g} seconds, and were ended.",
                    "Ask for less at once, or give more: --seconds.",
                )
            _rest()

    def _started(self, rank: int) -> subprocess.Popen[bytes]:
        """In a session of its own: an interrupt is for this process, which ends it."""
        with open(self._log(rank), "wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", self._program, str(self._folder), str(rank)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=_surroundings(self._job, rank),
                start_new_session=True,
            )

    def _end(self) -> None:
        for one in self._running:
            one.kill()
        for one in self._running:
            one.wait()
            if one.stdin is not None:
                one.stdin.close()

    def _died(self, codes: list[int | None]) -> EngineError:
        rank, code = next((rank, code) for rank, code in enumerate(codes) if code)
        said = self._log(rank).read_text(encoding="utf-8", errors="replace").strip().split("\n")[-1]
        why = f"by signal {-code}" if code < 0 else f"with code {code}"
        return EngineError(f"Process {rank} ended {why}: {said}", "Ask for less at once: it may be short of memory.")

    def _log(self, rank: int) -> Path:
        return self._folder / f"rank-{rank}.log"


def _surroundings(job: Job, rank: int) -> dict[str, str]:
    """What torch and transformers read. They meet on this machine alone, whatever it is called."""
    alike = {"WORLD_SIZE": str(job.processes), "LOCAL_WORLD_SIZE": str(job.processes)}
    threads = str(max(1, (os.cpu_count() or 1) // job.processes))
    return {
        **os.environ,
        **alike,
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "OMP_NUM_THREADS": threads,
        "GLOO_SOCKET_IFNAME": _LOOPBACK,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        **({} if job.device == "cuda" else {"CUDA_VISIBLE_DEVICES": ""}),
    }


def _rest() -> None:
    cancel = cancel_in_force()
    if cancel is None:
        time.sleep(_PAUSE)
    else:
        cancel.rest(_PAUSE)
