"""Questions asked faster than they are answered: the last wins, every picture begun is shown, nothing piles up."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

import pytest

from garage_nb.core.asked import Asked
from garage_nb.core.cancel import cancel_in_force
from garage_nb.errors import CancelledError


class Told:
    """What was told, in order, and how each run of questions ended."""

    def __init__(self) -> None:
        self.pieces: list[Any] = []
        self.ends: list[BaseException | None] = []
        self.asked: Asked[Any] = Asked(self.pieces.append, self.ends.append, threading.RLock())


@pytest.fixture
def told() -> Told:
    return Told()


def test_pieces_come_in_order_and_then_it_is_over(told: Told) -> None:
    told.asked.ask(lambda: iter_of("a", "b"))

    assert told.asked.wait(10)
    assert (told.pieces, told.ends) == (["a", "b"], [None])


def test_of_many_questions_the_first_and_the_last_are_answered_and_each_with_its_first_piece(told: Told) -> None:
    begun, go_on = threading.Event(), threading.Event()
    worked: list[int] = []

    def work(number: int) -> Generator[Any, None, None]:
        worked.append(number)
        begun.set()
        assert go_on.wait(10)
        yield number
        yield f"the rest of {number}"

    told.asked.ask(lambda: work(0))
    assert begun.wait(10)
    for number in range(1, 300):
        told.asked.ask(lambda number=number: work(number))
    go_on.set()

    assert told.asked.wait(10)
    assert worked == [0, 299]
    assert told.pieces == [0, 299, "the rest of 299"]
    assert told.ends == [None]


def test_what_follows_the_first_piece_is_asked_to_end_by_a_newer_question(told: Told) -> None:
    under_way = threading.Event()

    def long() -> Generator[Any, None, None]:
        yield "quick"
        under_way.set()
        yield from until_cancelled()

    told.asked.ask(long)
    assert under_way.wait(10)
    told.asked.ask(lambda: iter_of("newer"))

    assert told.asked.wait(10)
    assert (told.pieces, told.ends) == (["quick", "newer"], [None])


def test_the_first_piece_is_not_asked_to_end(told: Told) -> None:
    under_way, go_on = threading.Event(), threading.Event()
    asked: list[bool] = []

    def slow() -> Generator[Any, None, None]:
        under_way.set()
        assert go_on.wait(10)
        cancel = cancel_in_force()
        assert cancel is not None
        asked.append(cancel.asked)
        yield "slow"

    told.asked.ask(slow)
    assert under_way.wait(10)
    told.asked.ask(lambda: iter_of("newer"))
    go_on.set()

    assert told.asked.wait(10)
    assert asked == [False]
    assert told.pieces == ["slow", "newer"]


def test_stop_ends_what_runs_and_what_waits(told: Told) -> None:
    under_way = threading.Event()

    def long() -> Generator[Any, None, None]:
        under_way.set()
        yield from until_cancelled()

    told.asked.ask(long)
    assert under_way.wait(10)
    told.asked.ask(lambda: iter_of("waiting"))
    told.asked.stop()

    assert told.asked.wait(10)
    assert told.pieces == []
    assert [type(end) for end in told.ends] == [CancelledError]


def test_an_error_is_told_at_the_end_and_the_next_question_is_answered(told: Told) -> None:
    def broken() -> Generator[Any, None, None]:
        yield 1
        raise ZeroDivisionError("in a run")

    told.asked.ask(broken)
    assert told.asked.wait(10)
    told.asked.ask(lambda: iter_of(2))
    assert told.asked.wait(10)

    assert told.pieces == [1, 2]
    assert [str(end) for end in told.ends] == ["in a run", "None"]


def test_the_work_is_closed_when_it_is_cut_short(told: Told) -> None:
    under_way, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def long() -> Generator[Any, None, None]:
        try:
            under_way.set()
            assert go_on.wait(10)
            yield "first"
            yield "second"
        finally:
            closed.set()

    told.asked.ask(long)
    assert under_way.wait(10)
    told.asked.ask(lambda: iter_of("newer"))
    go_on.set()

    assert told.asked.wait(10)
    assert closed.is_set()
    assert told.pieces == ["first", "newer"]


def test_nothing_asked_is_over() -> None:
    assert Told().asked.wait(0)


def iter_of(*pieces: Any) -> Generator[Any, None, None]:
    yield from pieces


def until_cancelled() -> Generator[Any, None, None]:
    """As a run of a model: it looks between two blocks."""
    cancel, tick = cancel_in_force(), threading.Event()
    assert cancel is not None
    while not tick.wait(0.001):
        cancel.demand_not_asked()
    yield
