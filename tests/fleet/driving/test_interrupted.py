"""A drive that is interrupted or killed goes on where it was, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from garage_nb.fleet.driving.pace import Progress
from tests.fleet.driving.work import driven, kept, order, orders_left, results, sums, times_run

ROOT = Path(__file__).parents[3]


def test_interrupted_at_work(tmp_path: Path) -> None:
    """Five times, in the middle of a task."""
    tasks = sums(20, folder=str(tmp_path))
    order(tmp_path, signal.SIGINT, (1, 13, 14, 40, 79))
    done = [0]

    while orders_left(tmp_path):
        with pytest.raises(KeyboardInterrupt):
            driven(tasks, tmp_path / "ledger")
        done.append(len(kept(tmp_path / "ledger")))

    assert driven(tasks, tmp_path / "ledger") == results(tasks)
    assert len(done) == 6
    assert done == sorted(done)
    assert times_run(tasks) == [1] * 20


def test_interrupted_while_a_pool_works(tmp_path: Path) -> None:
    tasks, before = sums(60, folder=str(tmp_path)), workers_of(os.getpid())
    goal = 10

    def interrupt(progress: Progress) -> None:
        if progress.done >= goal:
            signal.raise_signal(signal.SIGINT)

    for goal in (10, 30):
        with pytest.raises(KeyboardInterrupt):
            driven(tasks, tmp_path / "ledger", "pool:2", tell=interrupt)
        assert goal <= len(kept(tmp_path / "ledger")) < 60
        assert workers_of(os.getpid()) == before

    assert driven(tasks, tmp_path / "ledger", "pool:2") == results(tasks)
    assert workers_of(os.getpid()) == before


def workers_of(process: int) -> list[psutil.Process]:
    """Those that live. Not the tracker of shared memory, which stays for as long as its process."""
    children = psutil.Process(process).children()
    living = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in living if not any("resource_tracker" in word for word in child.cmdline())]


SCRIPT = """
import sys
from pathlib import Path
from tests.fleet.driving.work import driven, sums

def tell(progress):
    print(progress.done, flush=True)

if __name__ == "__main__":
    place, on = Path(sys.argv[1]), sys.argv[2]
    while True:
        try:
            driven(sums(4000, folder=str(place / "ran")), place / "ledger", on, tell=tell)
            break
        except KeyboardInterrupt:
            print("interrupted", flush=True)
"""


@contextmanager
def started(place: Path, on: str) -> Iterator[subprocess.Popen[str]]:
    """The script in a process group of its own."""
    (place / "ran").mkdir(exist_ok=True)
    (place / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(place / "script.py"), str(place), on]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_done(process: subprocess.Popen[str], count: int) -> None:
    assert process.stdout is not None
    assert any(line.strip().isdecimal() and int(line) >= count for line in process.stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="it asks for signals to a group of processes")
def test_killed_it_leaves_no_worker_and_goes_on_where_it_was(tmp_path: Path) -> None:
    with started(tmp_path, "pool:2") as process:
        wait_until_done(process, 40)
        workers = workers_of(process.pid)
        process.kill()
        gone, alive = psutil.wait_procs(workers, timeout=30)

    assert len(gone) == 2
    assert not alive
    tasks = sums(200, folder=str(tmp_path / "ran"))
    assert driven(tasks, tmp_path / "ledger") == results(tasks)
    assert times_run(tasks)[:10] == [1] * 10
    assert max(times_run(tasks)) <= 2


@pytest.mark.skipif(sys.platform == "win32", reason="it asks for signals to a group of processes")
def test_an_interrupt_of_the_whole_group_is_heard_by_the_driver_alone(tmp_path: Path) -> None:
    """As a notebook sends it. The same process goes on with new workers."""
    with started(tmp_path, "pool:2") as process:
        wait_until_done(process, 20)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout is not None
        assert any(line == "interrupted\n" for line in process.stdout)
        wait_until_done(process, 100)

    times = times_run(sums(50, folder=str(tmp_path / "ran")))
    assert min(times) == 1
    assert sum(times) <= 50 + 2  # what each worker was at
