"""Dask: workers that are killed, interrupted, unlike us or not there, and what is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from garage_nb.core.versions import made_with
from garage_nb.errors import EngineError, InputError
from garage_nb.fleet.driving import task
from garage_nb.fleet.driving.driver import Settled, drive
from garage_nb.fleet.driving.ledger import Ledger
from garage_nb.fleet.engines import scheduler
from garage_nb.fleet.engines.dask import DaskCrew
from tests.fleet.driving.work import kept, order, orders_left, results, sums, times_run

distributed = pytest.importorskip("distributed")
PYTEST = "PYTEST_CURRENT_TEST"


@pytest.fixture(scope="module")
def crew() -> Iterator[DaskCrew]:
    """Of our own. Nothing of it is left in this process or outside."""
    before = dict(os.environ)
    with DaskCrew(workers=2) as crew:
        yield crew
        workers = {crew.hire().submit(os.getpid).result() for _ in range(4)}
    assert not any(map(psutil.pid_exists, workers))
    assert {**os.environ, PYTEST: ""} == {**before, PYTEST: ""}


@pytest.fixture
def client(crew: DaskCrew) -> Iterator[Any]:
    """Somebody else's, at the same scheduler."""
    with distributed.Client(crew.address, set_as_default=False) as client:
        yield client


def busy(client: Any) -> int:
    return sum(map(len, client.processing().values()))


def settles(true: Callable[[], bool]) -> bool:
    """Whether it does: what is let go is told to the scheduler, which is asked until it has heard."""
    until = time.monotonic() + 10
    while not true() and time.monotonic() < until:
        pass
    return true()


def done(crew: DaskCrew, tasks: Any, ledger: Path) -> list[Settled]:
    return list(drive(tasks, crew, Ledger(ledger)))


def folders(at: Path) -> tuple[Path, Path]:
    """Of the work and of the ledger."""
    for name in ("work", "ledger"):
        (at / name).mkdir()
    return at / "work", at / "ledger"


def test_each_task_is_done_once_and_nothing_stays_at_the_scheduler(crew: DaskCrew, client: Any, tmp_path: Path) -> None:
    work, ledger = folders(tmp_path)
    tasks = sums(24, folder=str(work))

    settled = done(crew, tasks, ledger)

    assert settled == results(tasks)
    assert times_run(tasks) == [1] * 24
    assert kept(ledger) == {task.key for task in tasks}
    assert settles(lambda: busy(client) == 0 and not client.who_has())


@pytest.mark.parametrize("kills", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_a_killed_worker_is_replaced_and_nothing_is_lost(crew: DaskCrew, kills: int, tmp_path: Path) -> None:
    work, ledger = folders(tmp_path)
    tasks = sums(24, folder=str(work))
    order(work, signal.SIGKILL, range(0, 8 * kills, 8))

    settled = done(crew, tasks, ledger)

    assert settled == results(tasks)
    assert min(times_run(tasks)) >= 1  # a result can die with the worker that still holds it
    assert orders_left(work) == 0
    crew.hire()
    assert crew.workers == 2


@pytest.mark.slow
def test_what_kills_every_worker_is_set_aside_and_nothing_else(crew: DaskCrew, tmp_path: Path) -> None:
    """Dask blames whatever stood at a worker that died; only one that dies alone is to blame."""
    settled = done(crew, sums(12, kills=frozenset([5, 17]), raises=frozenset([6])), tmp_path)

    aside = [(text.where, text.why) for one in settled for text in one.aside]
    assert aside == [
        ("5 to 5", "its worker died of it"),
        ("6 to 6", "ValueError: 6 is not to be summed"),
        ("17 to 17", "its worker died of it"),
    ]
    assert sum(int(one.data or 0) for one in settled) == sum(range(48)) - 5 - 6 - 17


def test_an_interrupt_ends_no_worker_of_somebody_elses_client(crew: DaskCrew, client: Any, tmp_path: Path) -> None:
    """A notebook's interrupt goes to all of its processes: here to the workers alone."""
    with DaskCrew(client=client) as theirs:
        before = set(client.run(os.getpid).values())
        for worker in before:
            os.kill(worker, signal.SIGINT)
        settled = done(theirs, sums(4), tmp_path)

    assert settled == results(sums(4))
    assert set(client.run(os.getpid).values()) == before
    assert client.status == "running"


def test_what_is_left_midway_runs_no_further(crew: DaskCrew, client: Any, tmp_path: Path) -> None:
    tasks = sums(40)
    with DaskCrew(client=client) as theirs:
        midway = drive(tasks, theirs, Ledger(tmp_path))
        first = next(midway)
        midway.close()

    assert first == results(tasks)[0]
    assert settles(lambda: busy(client) == 0 and not client.futures)
    assert done(crew, tasks, tmp_path) == results(tasks)


def test_workers_with_other_versions_are_refused(crew: DaskCrew, client: Any, tmp_path: Path) -> None:
    client.run(become, {"garage_nb": "0.0.1"})
    try:
        with pytest.raises(EngineError, match=r"runs garage_nb 0\.0\.1, and this process garage_nb [^,]*\n") as caught:
            done(crew, sums(4), tmp_path)
    finally:
        assert settles(lambda: busy(client) == 0 and are_as_we(client))

    assert "same versions on every worker" in caught.value.hint
    assert kept(tmp_path) == set()
    assert done(crew, sums(4), tmp_path) == results(sums(4))


def are_as_we(client: Any) -> bool:
    """Once a task that was let go is over: it may still keep what it has looked up."""
    client.run(become, {})
    return set(client.run(task.versions).values()) == {task.versions()}


def become(other: dict[str, str]) -> None:
    """A worker that has those installed."""
    task.made_with = lambda: {**made_with(), **other}
    task.versions.cache_clear()


def test_a_scheduler_that_is_not_there_is_one_error_soon(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scheduler, "PATIENCE", 0.3)

    with pytest.raises(EngineError, match=r"Dask at tcp://127\.0\.0\.1:1 cannot be used") as caught:
        DaskCrew("tcp://127.0.0.1:1").__enter__()

    assert "See that the scheduler runs" in caught.value.hint
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("address", ["tcp://", "tls://127.0.0.1:1"])
def test_an_address_that_dask_cannot_use_is_one_error(address: str) -> None:
    with pytest.raises(EngineError, match="cannot be used"):
        DaskCrew(address).__enter__()


def test_what_is_no_client_to_wait_for_is_refused(crew: DaskCrew, client: Any) -> None:
    async def refused() -> None:
        async with distributed.Client(crew.address, asynchronous=True, set_as_default=False) as theirs:
            with pytest.raises(InputError, match="asynchronous"):
                DaskCrew(client=theirs).__enter__()

    with ThreadPoolExecutor(1) as elsewhere:  # a browser of other tests may have a loop here
        elsewhere.submit(asyncio.run, refused()).result()
    with distributed.Client(crew.address, set_as_default=False) as over:
        pass
    with pytest.raises(InputError, match="is closed"):
        DaskCrew(client=over).__enter__()
    with pytest.raises(InputError, match="A ClientExecutor is no Dask client"):
        DaskCrew(client=client.get_executor()).__enter__()


def test_where_dask_is_missing_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(EngineError, match="dask is not installed") as caught:
        DaskCrew().__enter__()

    assert caught.value.hint.endswith('-m pip install "garage-nb[dask]"')
