"""A section that goes wrong keeps what it has, says why in two lines, and leaves the others alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from garage_nb.errors import CancelledError, InputError, NotFiniteError, UnsupportedModelError
from garage_nb.inject.recipe import Recipe
from garage_nb.pipelines.diagnose.case import QUICK, Case, case
from garage_nb.pipelines.diagnose.remark import Remark
from garage_nb.pipelines.diagnose.section import Chapter, Section, read
from garage_nb.registry.lift import lift
from garage_nb.view.cards import Card
from garage_nb.view.shown import Picture
from tests.families import tiny

TOLD = Remark(said="told", rule="a number", value=2, threshold=1)
SILENT = Remark(said="silent", rule="a number", value=0, threshold=1)


@pytest.fixture(scope="module")
def asked() -> Case:
    return case(lift(tiny("llama")), Recipe(), None, (), QUICK, 0)


def section(asked: Case, error: BaseException | None) -> Section:
    def pieces(given: Case) -> Iterator[Picture | Remark]:
        assert given is asked
        yield Card("read before")
        yield from (TOLD, SILENT)
        if error is not None:
            raise error
        yield Card("read behind")

    return read(Chapter(key="one", title="One", shows="This.", hides="That.", verb="scan", read=pieces), asked)


def test_what_is_read_is_kept(asked: Case) -> None:
    found = section(asked, None)

    assert (found.state, found.trouble, found.remarks) == ("read", (), (TOLD,))
    assert "read before" in found.html
    assert "read behind" in found.html


@pytest.mark.parametrize(
    ("error", "state", "what", "hint"),
    [
        (UnsupportedModelError("It has none.", "Load another."), "n/a", "It has none.", "Load another."),
        (InputError("One is too few.", "Give more."), "n/a", "One is too few.", "Give more."),
        (NotFiniteError("NaN.", "Load it again."), "failed", "NaN.", "Load it again."),
        (
            ZeroDivisionError("by\nzero"),
            "failed",
            r"ZeroDivisionError: by\nzero",
            "For the whole error, ask for it alone: scan.",
        ),
    ],
)
def test_what_goes_wrong_stays_in_the_section(asked: Case, error: Exception, state: str, what: str, hint: str) -> None:
    found = section(asked, error)

    assert (found.state, found.trouble) == (state, (what, hint))
    assert "read before" in found.html
    assert found.remarks == (TOLD,)


@pytest.mark.parametrize("error", [CancelledError("It was cancelled."), KeyboardInterrupt()])
def test_being_stopped_ends_them_all(asked: Case, error: Any) -> None:
    with pytest.raises(type(error)):
        section(asked, error)
