"""Work asked for faster than it can be done: one piece under way, one waiting, the newest wins."""

from __future__ import annotations

import concurrent.futures
import threading
from concurrent.futures import CancelledError, Future
from contextvars import ContextVar
from typing import Any

import pytest

from garage_nb.core import latest
from garage_nb.core.latest import Latest

from .meeting import PATIENCE

_NAME: ContextVar[str] = ContextVar("_NAME", default="nobody")


class Gate:
    """Work that says when it has begun and goes on when it is let."""

    def __init__(self) -> None:
        self.begun, self.open = threading.Event(), threading.Event()

    def work(self) -> str:
        self.begun.set()
        assert self.open.wait(PATIENCE)
        return "first"


def answer(future: Future[Any]) -> Any:
    return future.result(timeout=PATIENCE)


def threads_of(desk: Latest[Any]) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == desk.name]


def test_of_a_hundred_asked_while_one_is_under_way_the_last_alone_is_done() -> None:
    desk, gate, done = Latest[Any](), Gate(), []
    first = desk.ask(gate.work)
    assert gate.begun.wait(PATIENCE)

    others = [desk.ask(lambda number=number: done.append(number)) for number in range(100)]  # type: ignore[misc]
    assert not first.done()
    assert [other.cancelled() for other in others] == [True] * 99 + [False]
    gate.open.set()

    assert answer(first) == "first"
    answer(others[-1])
    assert done == [99]
    with pytest.raises(CancelledError):
        answer(others[0])


def test_never_two_at_once_and_in_the_order_asked() -> None:
    desk, done, under_way, most = Latest[Any](), [], [0], [0]

    def work(number: int) -> None:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        done.append(number)
        under_way[0] -= 1

    asked = [desk.ask(lambda number=number: work(number)) for number in range(500)]  # type: ignore[misc]
    answer(asked[-1])

    assert most == [1]
    assert done == sorted(done)
    assert done[-1] == 499
    assert [not future.cancelled() for future in asked] == [number in done for number in range(500)]


def test_those_who_wait_for_what_was_passed_over_are_told() -> None:
    desk, gate = Latest[Any](), Gate()
    desk.ask(gate.work)
    assert gate.begun.wait(PATIENCE)
    passed_over = desk.ask(lambda: None)
    desk.ask(lambda: None)

    told = concurrent.futures.wait([passed_over], timeout=PATIENCE)

    gate.open.set()
    assert told.done == {passed_over}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_reaches_whoever_asked_and_the_next_work_is_done(error: type[BaseException]) -> None:
    desk = Latest[Any]()

    def fail() -> None:
        raise error("in the work")

    with pytest.raises(error, match="in the work"):
        answer(desk.ask(fail))
    assert answer(desk.ask(lambda: "next")) == "next"


def test_work_runs_in_the_context_of_whoever_asked() -> None:
    desk, gate = Latest[Any](), Gate()
    desk.ask(gate.work)
    assert gate.begun.wait(PATIENCE)
    token = _NAME.set("asker")
    asked = desk.ask(lambda: (_NAME.get(), _NAME.set("the work")))
    _NAME.reset(token)
    gate.open.set()

    assert answer(asked)[0] == "asker"
    assert _NAME.get() == "nobody"


def test_work_that_was_cancelled_by_its_asker_is_not_done() -> None:
    desk, gate, done = Latest[Any](), Gate(), []
    first = desk.ask(gate.work)
    assert gate.begun.wait(PATIENCE)
    waiting = desk.ask(lambda: done.append(1))

    assert waiting.cancel()
    gate.open.set()
    answer(first)

    assert answer(desk.ask(lambda: "after")) == "after"
    assert done == []


def test_the_thread_ends_when_there_is_no_more_work_and_another_begins_with_the_next() -> None:
    desk = Latest[Any](name="test desk")
    mine = answer(desk.ask(threading.current_thread))
    mine.join(PATIENCE)

    assert not mine.is_alive()
    assert threads_of(desk) == []
    assert answer(desk.ask(threading.current_thread)) is not mine


def test_asking_from_inside_the_work() -> None:
    """As a slider does whose answer moves another."""
    desk = Latest[Any]()

    inner = answer(desk.ask(lambda: desk.ask(lambda: "inner")))

    assert answer(inner) == "inner"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupt_as_the_thread_starts_does_not_stop_the_next_work(
    monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    desk = Latest[Any]()

    class Interrupted(threading.Thread):
        def start(self) -> None:
            if moment == "after":
                super().start()
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(latest.threading, "Thread", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            desk.ask(lambda: "lost")

    assert answer(desk.ask(lambda: "next")) == "next"
