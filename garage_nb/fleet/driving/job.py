"""Job: a task on its way to its result."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..corpus.text import SetAside
from .course import Course, course
from .task import Task


@dataclass(eq=False)
class Job:
    """`task` is what is left of it, None when nothing is. `trial` is what runs next, None when the result is there.

    One that is `alone` was there when an executor broke: nothing else runs beside it.
    """

    number: int
    task: Task | None
    aside: tuple[SetAside, ...] = ()
    alone: bool = False
    has_run: bool = False
    lost: int = 0  # times that its result was gone when its turn came
    trial: Task | None = field(init=False)
    _course: Course = field(init=False)

    def __post_init__(self) -> None:
        assert self.task is not None
        self.begin(self.task)

    def begin(self, task: Task) -> None:
        self._course = course(task)
        self.trial = next(self._course)

    def learn(self, why: str | None) -> None:
        """Why its trial failed, None when it passed."""
        try:
            self.trial = self._course.send(why)
        except StopIteration as over:
            self.task, aside = over.value
            self.aside += aside
            self.trial = None
