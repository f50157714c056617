"""Engines by their names, and by what is handed over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from garage_nb.errors import EngineError, InputError
from garage_nb.fleet.engines.dask import DaskCrew
from garage_nb.fleet.engines.given import Given
from garage_nb.fleet.engines.here import Here
from garage_nb.fleet.engines.ipyparallel import IpyparallelCrew
from garage_nb.fleet.engines.named import crew_of
from garage_nb.fleet.engines.pool import Pool


@pytest.mark.parametrize(
    ("on", "kind", "name"),
    [
        ("here", Here, "here"),
        ("pool", Pool, "pool"),
        ("pool:3", Pool, "pool"),
        ("dask", DaskCrew, "dask"),
        ("tcp://10.0.0.1:8786", DaskCrew, "dask"),
        ("tls://10.0.0.1:8786", DaskCrew, "dask"),
        ("ipyparallel", IpyparallelCrew, "ipyparallel"),
        (ThreadPoolExecutor(3), Given, "ThreadPoolExecutor"),
    ],
)
def test_what_one_asks_for(on: object, kind: type, name: str) -> None:
    crew = crew_of(on)

    assert type(crew) is kind
    assert crew.name == name


def test_how_many_work() -> None:
    assert crew_of("here").workers == 1
    assert crew_of("pool:3").workers == 3
    assert crew_of("pool").workers >= 1
    assert crew_of(ThreadPoolExecutor(5)).workers == 5


@pytest.mark.parametrize("on", ["pol", "pool:", "pool:0", "pool:-1", "pool:x", "here:2", "", "http://there", "dask:"])
def test_an_unknown_name_is_refused(on: str) -> None:
    with pytest.raises(InputError, match="No engine is called") as caught:
        crew_of(on)

    assert "pool" in caught.value.hint


@pytest.mark.parametrize("on", [None, 3, object()])
def test_what_is_no_engine_is_refused(on: object) -> None:
    with pytest.raises(InputError, match=f"No engine is a {type(on).__name__}"):
        crew_of(on)


def test_an_executor_that_is_given_is_never_ended() -> None:
    with ThreadPoolExecutor(1) as threads:
        with crew_of(threads) as crew:
            assert crew.hire() is crew.hire() is threads

        assert threads.submit(len, "abc").result() == 3
    with pytest.raises(EngineError, match="The ThreadPoolExecutor takes no more work"):
        crew.hire()


def test_work_here_is_done_when_it_is_handed_in() -> None:
    done: list[int] = []

    with crew_of("here") as crew:
        future = crew.hire().submit(done.append, 1)

        assert done == [1]
        assert future.done()
        with pytest.raises(ZeroDivisionError):
            crew.hire().submit(divmod, 1, 0).result()
