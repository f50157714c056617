"""ipyparallel: engines of our own and of others, that die or raise, and what is left behind."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from garage_nb.errors import EngineError, InputError
from garage_nb.fleet.driving.driver import drive
from garage_nb.fleet.driving.ledger import Ledger
from garage_nb.fleet.engines.ipyparallel import IpyparallelCrew
from garage_nb.fleet.engines.local_engines import LocalEngines
from tests.fleet.driving.work import kept, order, orders_left, results, sums, times_run

pytest.importorskip("ipyparallel")


@pytest.fixture(scope="module")
def engines() -> Iterator[Any]:
    """Somebody's own, with a client of theirs, where this process takes three threads."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_NUM_THREADS", "3")
        with LocalEngines(1) as engines:
            yield engines.client
            there = engines.client[:].apply_sync(os.getpid)
    assert not any(map(psutil.pid_exists, there))


def test_each_task_is_done_once_and_what_raises_is_set_aside(engines: Any, tmp_path: Path) -> None:
    """An error travels whole, and the view that was given is as it was."""
    work, ledger = tmp_path / "work", tmp_path / "ledger"
    work.mkdir()
    tasks = sums(24, folder=str(work), raises=frozenset([6]))
    view = engines[:]
    view.block = True

    with IpyparallelCrew(view) as crew:
        settled = list(drive(tasks, crew, Ledger(ledger)))

    assert settled[:1] + settled[2:] == [one for one in results(tasks) if one.number != 1]
    assert [(text.where, text.why) for text in settled[1].aside] == [("6 to 6", "ValueError: 6 is not to be summed")]
    assert times_run([*tasks[:1], *tasks[2:]]) == [1] * 23
    assert len(kept(ledger)) == 24 + 3  # and the pieces that pass
    assert view.apply(os.getppid)


def test_an_engine_has_one_thread(engines: Any) -> None:
    assert engines[:].apply_sync(os.getenv, "OMP_NUM_THREADS") == ["1"]


def test_what_is_left_midway_runs_no_further(engines: Any, tmp_path: Path) -> None:
    tasks = sums(40)
    with IpyparallelCrew(engines) as crew:
        midway = drive(tasks, crew, Ledger(tmp_path))
        first = next(midway)
        midway.close()

    engines.wait(timeout=60)
    assert first == results(tasks)[0]
    assert not engines.outstanding
    assert len(kept(tmp_path)) < 40


@pytest.mark.slow
def test_engines_of_our_own_that_die_are_replaced(tmp_path: Path) -> None:
    work, ledger = tmp_path / "work", tmp_path / "ledger"
    work.mkdir()
    tasks = sums(24, folder=str(work))
    order(work, signal.SIGKILL, [0, 8, 80])

    with IpyparallelCrew() as crew:
        before = crew.workers
        settled = list(drive(tasks, crew, Ledger(ledger)))
        crew.hire()
        assert crew.workers == before

    assert settled == results(tasks)
    assert orders_left(work) == 0


@pytest.mark.slow
def test_when_no_engine_of_somebody_else_is_left_it_says_so(tmp_path: Path) -> None:
    """Also for those that no engine had taken yet, which ipyparallel would keep for ever."""
    work, ledger = tmp_path / "work", tmp_path / "ledger"
    work.mkdir()
    tasks = sums(24, folder=str(work))
    order(work, signal.SIGKILL, [80])

    with (
        LocalEngines(1) as engines,
        IpyparallelCrew(engines.client) as crew,
        pytest.raises(EngineError, match="No ipyparallel engine is left") as caught,
    ):
        list(drive(tasks, crew, Ledger(ledger)))

    assert "start engines" in caught.value.hint
    assert len(kept(ledger)) == 20


def test_what_is_no_view_is_refused(engines: Any) -> None:
    with pytest.raises(InputError, match="A ViewExecutor is no view"):
        IpyparallelCrew(engines.executor()).__enter__()


def test_where_ipyparallel_is_missing_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipyparallel", None)

    with pytest.raises(EngineError, match="ipyparallel is not installed") as caught:
        IpyparallelCrew().__enter__()

    assert caught.value.hint.endswith('-m pip install "garage-nb[ipyparallel]"')
