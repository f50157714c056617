"""Every result once and in order, on any engine; what is there is not made again, and little is held in memory."""

from __future__ import annotations

import signal
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from garage_nb.core.cancel import Cancel
from garage_nb.errors import CancelledError, EngineError
from garage_nb.fleet.driving.driver import AHEAD, drive
from garage_nb.fleet.driving.ledger import Ledger
from garage_nb.fleet.driving.pace import Progress
from garage_nb.fleet.engines.given import Given
from tests.fleet.driving.work import Sum, driven, kept, results, sums, times_run


@pytest.fixture
def ran(tmp_path: Path) -> str:
    """A folder in which work says that it was done."""
    (tmp_path / "ran").mkdir()
    return str(tmp_path / "ran")


@pytest.mark.parametrize("on", ["here", "pool:2", "threads"])
def test_each_result_once_and_in_order(tmp_path: Path, ran: str, on: str) -> None:
    tasks = sums(20, folder=ran)

    with ThreadPoolExecutor(3) as threads:
        settled = driven(iter(tasks), tmp_path / "ledger", threads if on == "threads" else on)

    assert settled == results(tasks)
    assert times_run(tasks) == [1] * 20
    assert kept(tmp_path / "ledger") == {task.key for task in tasks}


def test_what_is_there_is_not_run_and_needs_nobody(tmp_path: Path) -> None:
    tasks = sums(20)
    driven(tasks, tmp_path)
    told: list[Progress] = []
    over = ThreadPoolExecutor(1)
    over.shutdown()

    assert driven(tasks, tmp_path, over, tell=told.append) == results(tasks)

    assert (told[-1].done, told[-1].from_ledger, told[-1].rate) == (20, 20, None)


def test_tasks_of_one_key_run_once(tmp_path: Path, ran: str) -> None:
    tasks = sums(3, folder=ran) * 10

    with ThreadPoolExecutor(4) as threads:
        settled = driven(tasks, tmp_path / "ledger", threads)

    assert settled == results(tasks)
    assert times_run(tasks[:3]) == [1] * 3


def test_tasks_of_one_key_name_what_each_set_aside(tmp_path: Path) -> None:
    tasks = sums(1, raises=frozenset({2})) * 3

    settled = driven([*tasks, *sums(1, each=2)], tmp_path)

    assert [one.data for one in settled] == [b"4"] * 3 + [b"1"]
    assert [[aside.where for aside in one.aside] for one in settled] == [["2 to 2"]] * 3 + [[]]


def test_nothing_to_do(tmp_path: Path) -> None:
    assert driven([], tmp_path) == []


@dataclass(frozen=True)
class Large(Sum):
    """Many bytes, after `gate` is open."""

    gate: threading.Event = field(default_factory=threading.Event)

    def run(self) -> bytes:
        if self.numbers == (0,):
            self.gate.wait(60)
        return bytes(1_000_000)


def test_a_slow_first_one_holds_the_others_back_and_no_result_is_in_memory(tmp_path: Path) -> None:
    limit, gate = AHEAD * 2, threading.Event()
    drawn: list[int] = []
    held: dict[int, int] = {}

    def fresh() -> Iterator[Large]:
        for number in range(3 * limit):
            drawn.append(number)
            yield Large((number,), gate=gate)

    def watch(progress: Progress) -> None:
        if progress.done == limit - 1 and not gate.is_set():
            held[len(drawn)] = tracemalloc.get_traced_memory()[0]
            gate.set()

    tracemalloc.start()
    try:
        with ThreadPoolExecutor(2) as threads:
            settled = sum(1 for _ in drive(fresh(), Given(threads), Ledger(tmp_path), tell=watch))
    finally:
        tracemalloc.stop()

    assert list(held) == [limit]
    assert held[limit] < 3_000_000
    assert settled == 3 * limit


class OtherVersions(Executor):
    """Reports that it runs on another torch from the third on."""

    def __init__(self) -> None:
        self._count = 0

    def submit(self, work: Any, /, *given: Any, **named: Any) -> Future[Any]:
        report, future = work(*given, **named), Future[Any]()
        self._count += 1
        theirs = tuple("torch 1.0" if name.startswith("torch ") else name for name in report.versions)
        future.set_result(report if self._count < 3 else replace(report, versions=theirs))
        return future


def test_nothing_is_taken_of_a_worker_with_other_versions(tmp_path: Path) -> None:
    tasks = sums(8)

    with pytest.raises(EngineError, match=r"runs torch 1\.0, and this process torch \d") as caught:
        driven(tasks, tmp_path, OtherVersions())

    assert str(caught.value).count("\n") == 1
    assert kept(tmp_path) == {task.key for task in tasks[:2]}


@pytest.mark.parametrize("on", ["here", "threads"])
def test_cancelled_it_keeps_what_is_done(tmp_path: Path, ran: str, on: str) -> None:
    tasks, cancel = sums(20, folder=ran), Cancel()

    def five(progress: Progress) -> None:
        if progress.done >= 5:
            cancel.ask()

    with ThreadPoolExecutor(2) as threads:
        engine = threads if on == "threads" else on
        with pytest.raises(CancelledError, match="What was done is kept"):
            driven(tasks, tmp_path / "ledger", engine, cancel=cancel, tell=five)
        assert 5 <= len(kept(tmp_path / "ledger")) < 20
        settled = driven(tasks, tmp_path / "ledger", engine)

    assert settled == results(tasks)


@dataclass(frozen=True)
class Endless(Sum):
    def run(self) -> bytes:
        return bytes(signal.pause() or 0)


def test_cancelled_while_nothing_comes_back(tmp_path: Path) -> None:
    cancel = Cancel()

    with pytest.raises(CancelledError):
        driven(
            [Endless((number,)) for number in range(9)], tmp_path, "pool:1", cancel=cancel, tell=lambda _: cancel.ask()
        )

    assert kept(tmp_path) == set()


def test_whoever_stops_listening_ends_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        settled = drive(iter(sums(1000)), Given(threads), Ledger(tmp_path))
        first = [next(settled) for _ in range(3)]
        settled.close()

    assert first == results(sums(3))
    assert 3 <= len(kept(tmp_path)) <= 3 + AHEAD * 2
