"""The real driver over simulated workers: it keeps them at work, and what comes out is each chunk once."""

from __future__ import annotations

from concurrent.futures import wait

import pytest

from garage_nb.fleet.driving.died import WorkerDied
from garage_nb.fleet.simulated.cluster import Cluster
from garage_nb.fleet.simulated.delayed import Delayed
from garage_nb.fleet.simulated.simulation import Simulation, simulation


class Planned:
    """So many seconds by worker; the second run dies."""

    def __init__(self, *seconds: float) -> None:
        self._seconds, self._runs = seconds, 0

    def drawn(self, worker: int) -> tuple[float, bool]:
        self._runs += 1
        return self._seconds[worker], self._runs == 2


def test_runs_are_over_when_they_are_due_and_wait_for_an_idle_worker() -> None:
    order: list[str] = []

    with Delayed(2, Planned(0.2, 0.1)) as executor:
        futures = {name: executor.submit(str.upper, name) for name in "abc"}
        for name, future in futures.items():
            future.add_done_callback(lambda _, name=name: order.append(name))  # type: ignore[misc]
        wait(futures.values())

    assert order == ["b", "a", "c"]
    assert (futures["a"].result(), futures["c"].result()) == ("A", "C")
    assert isinstance(futures["b"].exception(), WorkerDied)
    first, second, third = executor.spans
    assert (first.died, second.died, third.died) == (True, False, False)
    assert third.start >= first.end
    assert [round(one.end - one.start, 6) for one in executor.spans] == [0.1, 0.2, 0.1]


def demand_once(found: Simulation, chunks: int, poisoned: int) -> None:
    assert (found.chunks, found.lost, found.twice, found.aside) == (chunks, 0, 0, poisoned)
    assert found.deaths > 0
    assert chunks < found.runs - found.deaths <= chunks + 3 * poisoned  # tried twice, and twice alone
    assert found.ideal < found.seconds
    assert list(found.frame().index) == [found.workers]


def test_each_chunk_comes_out_once_whatever_dies() -> None:
    found = simulation(Cluster(workers=200, seconds=0.4, dying=0.01, seed=1), 600, b"sums", poisoned=2)

    demand_once(found, 600, 2)
    assert found.steady > 0.3  # of a machine that does other work beside
    assert "200 simulated workers" in repr(found)


@pytest.mark.slow
def test_a_thousand_workers_are_kept_at_work() -> None:
    found = simulation(Cluster(workers=1000, seconds=1.0), 20_000, b"0" * 4000, poisoned=5)

    demand_once(found, 20_000, 5)
    assert found.steady > 0.5
    assert found.driving < 1e-3
