"""The rate is of what was run lately; what was there before is counted apart."""

from __future__ import annotations

import pytest

from garage_nb.fleet.driving import pace
from garage_nb.fleet.driving.job import Job
from garage_nb.fleet.driving.pace import FEWEST, RECENT, Pace
from tests.fleet.driving.work import Sum


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


def stepped(counted: Pace, count: int, has_run: bool) -> None:
    for number in range(count):
        counted.step(Job(number, Sum((number,)), has_run=has_run))


def test_what_was_in_the_ledger_has_no_rate(clock: Clock) -> None:
    counted = Pace()
    clock.now += 50
    stepped(counted, 1000, has_run=False)

    assert counted.progress(0).rate is None
    stepped(counted, 1, has_run=True)
    assert counted.progress(0).rate is None
    clock.now += 2
    stepped(counted, 4, has_run=True)
    told = counted.progress(3)

    assert (told.done, told.from_ledger, told.under_way, told.seconds) == (1005, 1000, 3, 52)
    assert told.rate == 2
    assert told.left(1015) == 5


def test_the_rate_forgets_how_it_was_long_ago(clock: Clock) -> None:
    counted = Pace()
    for _ in range(100):
        clock.now += 10
        stepped(counted, 1, has_run=True)

    assert counted.progress(0).rate == pytest.approx(0.1)
    for _ in range(int(RECENT) * 2):
        clock.now += 1
        stepped(counted, 5, has_run=True)

    assert counted.progress(0).rate == pytest.approx(5, rel=0.1)
    clock.now += 1000
    assert counted.progress(0).rate == pytest.approx((FEWEST - 1) / 1000, rel=0.1)
