"""What fails, raises or kills its worker is found out by name, and what is left does not depend on what died."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from garage_nb.errors import EngineError, LedgerError
from garage_nb.fleet.driving.died import WorkerDied
from garage_nb.fleet.driving.driver import BUSY, Settled, drive
from garage_nb.fleet.driving.ledger import Ledger
from garage_nb.fleet.driving.pace import Progress
from garage_nb.fleet.engines.here import Here
from tests.fleet.driving.work import Sum, driven, kept, order, orders_left, results, sums, times_run
from tests.registry.test_store_faults import no_file_longer_than


def aside(settled: list[Settled]) -> dict[str, str]:
    return {aside.where: aside.why for one in settled for aside in one.aside}


class Fragile(AbstractContextManager["Fragile"]):
    """Processes that are all lost with one of them, so that nobody knows whose fault it was."""

    name, workers = "fragile", 2

    def __enter__(self) -> Fragile:
        self._stack = ExitStack()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    def hire(self) -> Executor:
        return self._stack.enter_context(ProcessPoolExecutor(2, get_context("spawn")))


@pytest.mark.parametrize("on", ["pool:2", Fragile()], ids=["pool", "fragile"])
def test_eight_workers_that_are_killed_change_nothing(tmp_path: Path, on: Any) -> None:
    tasks = sums(12, folder=str(tmp_path))
    order(tmp_path, signal.SIGKILL, range(2, 42, 5))

    settled = driven(tasks, tmp_path / "ledger", on)

    assert settled == results(tasks)
    assert orders_left(tmp_path) == 0
    assert kept(tmp_path / "ledger") == {task.key for task in tasks}


@pytest.mark.parametrize("on", ["pool:2", Fragile()], ids=["pool", "fragile"])
def test_what_kills_and_what_raises_is_set_aside_by_name(tmp_path: Path, on: Any) -> None:
    tasks = sums(5, each=3, kills=frozenset({4}), raises=frozenset({5, 9, 10, 11}))

    settled = driven(tasks, tmp_path, on)

    assert [one.number for one in settled] == list(range(5))
    assert [one.data for one in settled] == [b"3", b"3", b"21", None, b"39"]
    assert aside(settled) == {
        "4 to 4": "its worker died of it",
        **{f"{number} to {number}": f"ValueError: {number} is not to be summed" for number in (5, 9, 10, 11)},
    }
    alone = driven(sums(5, each=3, raises=frozenset({4, 5, 9, 10, 11})), tmp_path / "raised")
    assert [one.data for one in settled] == [one.data for one in alone]


@pytest.mark.parametrize("failure", [ValueError("not today"), WorkerDied()])
def test_what_fails_once_is_not_set_aside(tmp_path: Path, failure: Exception) -> None:
    """Every trial fails the first time that it comes."""
    tasks = sums(6)

    assert driven(tasks, tmp_path, FirstTime(failure)) == results(tasks)


@dataclass
class FirstTime(Executor):
    failure: Exception

    def __post_init__(self) -> None:
        self._known: set[str] = set()

    def submit(self, work: Any, /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if given[0].key in self._known:
            future.set_result(work(*given))
        else:
            future.set_exception(self.failure)
        self._known.add(given[0].key)
        return future


@dataclass(frozen=True)
class Crowd(Sum):
    """Only a few at a time."""

    def run(self) -> bytes:
        if len(self.numbers) > 3:
            raise MemoryError("too many")
        return super().run()


def test_a_whole_that_fails_though_its_pieces_pass_is_told(tmp_path: Path) -> None:
    tasks = [Crowd((0, 1, 2)), Crowd((3, 4, 5, 6))]

    with pytest.raises(EngineError, match="3 to 6 fails as a whole, and each piece of it passes alone: MemoryError"):
        driven(tasks, tmp_path)

    assert tasks[0].key in kept(tmp_path)


def test_what_nothing_survives_is_an_error_and_not_a_corpus_set_aside(tmp_path: Path) -> None:
    drawn: list[Sum] = []

    def noted() -> Iterator[Sum]:
        for task in sums(100, raises=frozenset(range(400))):
            drawn.append(task)
            yield task

    with pytest.raises(EngineError, match=r"Nothing passes\. The first that was tried is 0 to 0: ValueError: 0 is not"):
        driven(noted(), tmp_path)

    assert len(drawn) == BUSY


def test_a_bad_beginning_is_believed_once_something_passes(tmp_path: Path) -> None:
    tasks = sums(6, raises=frozenset(range(4)))

    with ThreadPoolExecutor(2) as threads:
        settled = driven(tasks, tmp_path, threads)

    assert [one.data is None for one in settled] == [True] + [False] * 5
    assert list(aside(settled)) == ["0 to 0", "1 to 1", "2 to 2", "3 to 3"]


def test_a_single_one_that_fails_is_set_aside(tmp_path: Path) -> None:
    (settled,) = driven(sums(1, each=1, raises=frozenset({0})), tmp_path)

    assert settled.data is None
    assert aside([settled]) == {"0 to 0": "ValueError: 0 is not to be summed"}


@dataclass(frozen=True)
class Homeless(Sum):
    def run(self) -> bytes:
        raise ModuleNotFoundError("No module named 'elsewhere'")


def test_what_no_worker_can_do_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="The workers lack what the work needs: No module named 'elsewhere'"):
        driven([Homeless((1, 2))], tmp_path)


def test_an_executor_that_nobody_can_replace(tmp_path: Path) -> None:
    tasks = sums(6, kills=frozenset({22}))
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        pytest.raises(EngineError, match="no more work") as caught,
    ):
        driven(tasks, tmp_path, pool)

    assert str(caught.value).count("\n") == 1
    assert kept(tmp_path) >= {task.key for task in tasks[:3]}
    assert driven(tasks[:5], tmp_path) == results(tasks[:5])


def test_an_executor_that_was_shut_down(tmp_path: Path) -> None:
    threads = ThreadPoolExecutor(1)
    threads.shutdown()

    with pytest.raises(EngineError, match="The ThreadPoolExecutor takes no more work"):
        driven(sums(3), tmp_path, threads)


def test_results_that_were_damaged_are_made_again(tmp_path: Path) -> None:
    (tmp_path / "ran").mkdir()
    tasks = sums(20, folder=str(tmp_path / "ran"))
    ledger = Ledger(tmp_path / "ledger")
    driven(tasks, ledger.folder)
    damaged = (0, 3, 4, 9, 18, 19)
    for number in damaged:
        ledger.path(tasks[number].key).write_bytes(b"damaged")

    told: list[Progress] = []

    assert driven(tasks, ledger.folder, "pool:2", tell=told.append) == results(tasks)

    assert told[-1].done == 20
    assert times_run(tasks) == [1 + (number in damaged) for number in range(20)]


class Forgetful(Ledger):
    """On a disk that loses what is written."""

    def get(self, key: str) -> bytes | None:
        self.path(key).unlink(missing_ok=True)
        return super().get(key)


def test_a_disk_that_loses_everything_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="0 to 3 is damaged whenever it is read"):
        list(drive(sums(3), Here(), Forgetful(tmp_path)))


@dataclass(frozen=True)
class Long(Sum):
    def run(self) -> bytes:
        return super().run() + bytes(1000 * (self.numbers[0] > 20))


def test_a_full_disk_ends_it_and_what_was_done_is_kept(tmp_path: Path) -> None:
    (tmp_path / "ran").mkdir()
    tasks = [Long(task.numbers, str(tmp_path / "ran")) for task in sums(10)]
    folder = tmp_path / "ledger"

    with no_file_longer_than(500), pytest.raises(LedgerError, match="cannot be written") as caught:
        driven(tasks, folder)

    assert str(caught.value).count("\n") == 1
    assert kept(folder) == {task.key for task in tasks[:6]}
    assert [one.number for one in driven(tasks, folder)] == list(range(10))
    assert times_run(tasks[:6]) == [1] * 6
