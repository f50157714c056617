"""A pool of processes: what it takes over, what it survives, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import psutil
import pytest

from garage_nb.errors import EngineError
from garage_nb.fleet.driving.died import WorkerDied
from garage_nb.fleet.engines.pool import Pool

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with Pool(1) as crew:
        yield crew.hire()


def test_a_call_comes_back_with_what_it_returned_or_raised(pool: Executor) -> None:
    assert pool.submit(divmod, 17, 5).result() == (3, 2)
    assert pool.submit(int, "11", base=2).result() == 3
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result()
    with pytest.raises(EngineError) as caught:
        pool.submit(refuse, "what", "hint").result()
    assert str(caught.value) == "what\nhint"


def refuse(what: str, hint: str) -> None:
    raise EngineError(what, hint)


def test_what_cannot_be_sent_is_that_calls_failure(pool: Executor) -> None:
    with pytest.raises(RuntimeError, match="cannot be sent back"):
        pool.submit(threading.Lock).result()
    with pytest.raises(TypeError, match="pickle"):
        pool.submit(len, threading.Lock()).result()
    with pytest.raises((AttributeError, TypeError)):
        pool.submit(Unreadable().__len__).result()

    assert pool.submit(len, "abc").result() == 3


class Unreadable:
    """Nothing can be made of what is sent of it."""

    def __reduce__(self) -> Any:
        return divmod, ("nothing", "here")

    def __len__(self) -> int:
        return 0


def test_a_worker_has_one_thread_and_no_ear_for_interrupts(pool: Executor) -> None:
    worker = pool.submit(os.getpid).result()

    assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
    assert pool.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN
    os.kill(worker, signal.SIGINT)
    assert pool.submit(os.getpid).result() == worker


def test_one_that_dies_is_replaced_and_the_others_stay() -> None:
    with Pool(2) as crew:
        pool = crew.hire()
        before = {pool.submit(os.getpid).result() for _ in range(4)}
        with pytest.raises(WorkerDied):
            pool.submit(os._exit, 3).result()
        after = {pool.submit(os.getpid).result() for _ in range(4)}

        assert len(before) == len(after) == 2
        assert len(before & after) == 1
        assert crew.hire() is pool


def test_leaving_ends_what_works_and_what_waits(tmp_path: Path) -> None:
    with Pool(2) as crew:
        pool = crew.hire()
        workers = [psutil.Process(pool.submit(os.getpid).result()) for _ in range(4)]
        never = [pool.submit(signal.pause) for _ in range(6)]

    assert all(future.done() for future in never)
    assert not any(worker.is_running() for worker in workers)


def test_nobody_is_hired_before_there_is_work() -> None:
    children = psutil.Process().children()

    with Pool(2):
        assert psutil.Process().children() == children


def test_what_the_system_does_not_give_is_told() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)

    with Pool(50) as crew:
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 8, before[1]))
        try:
            with pytest.raises(EngineError, match="50 workers one cannot be started: Too many open files"):
                crew.hire()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)


UNGUARDED = """
from garage_nb.errors import EngineError
from garage_nb.fleet.engines.pool import Pool

with Pool(1) as crew:
    try:
        crew.hire()
    except EngineError as error:
        print(error)
"""


def test_a_script_that_runs_again_in_its_workers_is_told_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(UNGUARDED)

    ended = subprocess.run(
        [sys.executable, tmp_path / "script.py"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )

    what, hint = ended.stdout.splitlines()
    assert what == "A worker of the pool ended before it could work."
    assert '`if __name__ == "__main__":`' in hint
