"""Course: what is run of one task, one after the other, until its result is known.

What fails twice has its pieces tried one by one; those that fail twice are set aside, and the rest is run whole. So a
result depends on which pieces are aside and on nothing else that happened.
"""

from __future__ import annotations

from collections.abc import Generator

from ...errors import EngineError
from ..corpus.text import SetAside
from .task import Task

TIMES = 2

# Yields what is to run next and is sent why it failed, or None. Returns what is left of the task, and what is not.
Course = Generator[Task, "str | None", "tuple[Task | None, tuple[SetAside, ...]]"]


def course(task: Task) -> Course:
    """EngineError where a task fails whose pieces all pass."""
    if (yield from _tried(task)) is None:
        return task, ()
    failed: list[tuple[Task, str]] = []
    for piece in task.pieces():
        why = yield from _tried(piece)
        if why is not None:
            failed.append((piece, why))
    rest = task.without([piece for piece, _ in failed]) if failed else task
    if rest is not None:
        yield from _passed(rest)
    return rest, tuple(SetAside(piece.where, why) for piece, why in failed)


def _tried(task: Task) -> Generator[Task, str | None, str | None]:
    """Why it failed the last time, None as soon as it passes."""
    why = None
    for _ in range(TIMES):
        why = yield task
        if why is None:
            return None
    return why


def _passed(task: Task) -> Generator[Task, str | None, None]:
    why = yield from _tried(task)
    if why is not None:
        raise EngineError(
            f"{task.where} fails as a whole, and each piece of it passes alone: {why}.",
            "What was done is kept. It may be more than a worker can hold at once: put less into one.",
        )
