"""Section: one question asked of a case, and what came of it: pictures, remarks, or why there are none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from ...errors import CancelledError, GarageError, NotFiniteError
from ...plain import one_line, shorten
from ...view.shown import Picture
from .case import Case
from .pieces import piece
from .remark import Remark

State = Literal["read", "n/a", "failed"]
WORDS = 300  # letters of somebody else's error


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """`shows` and `hides` are a sentence each: what the section says, and what must not be read into it. `verb` asks
    for more of it.
    """

    key: str
    title: str
    shows: str
    hides: str
    verb: str
    read: Callable[[Case], Iterator[Picture | Remark]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Section:
    """`html` is what was read, also where the rest was not; `trouble` two lines on why, empty where all was."""

    chapter: Chapter
    html: str
    remarks: tuple[Remark, ...]
    state: State
    trouble: tuple[str, ...]
    seconds: float


def read(chapter: Chapter, case: Case) -> Section:
    """Whatever goes wrong in a section stays in it; only being cancelled ends them all."""
    start, html, remarks = time.perf_counter(), list[str](), list[Remark]()
    state, trouble = _whole(chapter, case, html, remarks)
    return Section(
        chapter=chapter,
        html="".join(html),
        remarks=tuple(remark for remark in remarks if remark.is_told),
        state=state,
        trouble=trouble,
        seconds=time.perf_counter() - start,
    )


def _whole(chapter: Chapter, case: Case, html: list[str], remarks: list[Remark]) -> tuple[State, tuple[str, ...]]:
    """Fills both as far as it gets."""
    try:
        for found in chapter.read(case):
            if isinstance(found, Remark):
                remarks.append(found)
            else:
                html.append(piece(found))
    except CancelledError:
        raise
    except GarageError as error:
        return "failed" if isinstance(error, NotFiniteError) else "n/a", (error.what, error.hint)
    except Exception as error:  # twelve sections are not thrown away for the sake of the thirteenth
        said = shorten(one_line(f"{type(error).__name__}: {error}"), WORDS)
        return "failed", (said, f"For the whole error, ask for it alone: {chapter.verb}.")
    return "read", ()
