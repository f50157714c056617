"""Asked: questions whose answers come in pieces, asked faster than they can be answered.

The latest question wins, and the first piece of every question that was begun is given: a picture that follows a hand
must not wait until the hand is still. What follows the first piece is cut short once something newer is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from concurrent.futures import wait as all_done
from contextlib import closing
from typing import Generic, TypeVar

from .cancel import Cancel, cancellable
from .latest import Latest

T = TypeVar("T")


class Asked(Generic[T]):
    """`tell` is called with each piece, and `over` when nothing is under way any more, with what went wrong with the
    last question if anything; both on the thread that works. `turn` is held while `over` is called and by no run.
    """

    def __init__(
        self, tell: Callable[[T], None], over: Callable[[BaseException | None], None], turn: threading.RLock
    ) -> None:
        self._tell, self._over, self._turn = tell, over, turn
        self._latest: Latest[None] = Latest("panel")
        self._newest: _Question[T] | None = None
        self._under_way: _Question[T] | None = None
        self._future: Future[None] | None = None

    def ask(self, work: Callable[[], Generator[T, None, None]]) -> None:
        """`work` answers piece by piece. A run of the model in it ends with a CancelledError when it is cut short."""
        with self._turn:
            self._newest = question = _Question(work)
            if self._under_way is not None:
                self._under_way.hurry()
            self._future = self._latest.ask(lambda: self._answer(question))

    def stop(self) -> None:
        """End what is under way before the next block of the model, and what is waiting before it begins."""
        with self._turn:
            for question in filter(None, (self._under_way, self._newest)):
                question.cancel.ask()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether everything that was asked is over, once it is or when the time is."""
        return self._future is None or not all_done([self._future], seconds).not_done

    def _answer(self, question: _Question[T]) -> None:
        with self._turn:
            self._under_way = question
        error = self._answered(question)
        with self._turn:
            self._under_way = None
            if question is self._newest:  # how an older one ended is of no interest
                self._newest = None
                self._over(error)

    def _answered(self, question: _Question[T]) -> BaseException | None:
        try:
            with cancellable(question.cancel), closing(question.work()) as pieces:
                for piece in pieces:
                    question.cancel.demand_not_asked()
                    self._tell(piece)
                    with self._turn:
                        question.begun = True
                        if question is not self._newest:
                            break
        except BaseException as error:  # whatever it is, whoever asked is told
            return error
        return None


class _Question(Generic[T]):
    def __init__(self, work: Callable[[], Generator[T, None, None]]) -> None:
        self.work, self.cancel, self.begun = work, Cancel(), False

    def hurry(self) -> None:
        """Something newer was asked."""
        if self.begun:
            self.cancel.ask()
