"""Every kind of failure is two lines, and the nearest built-in."""

from __future__ import annotations

import inspect

import pytest

from garage_nb import errors
from garage_nb.errors import LONGEST, GarageError, InputError, PartsLeftOut, nearest

from .hostile import HALF, TEXTS, unseen

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, GarageError)]


@pytest.mark.parametrize("kind", KINDS)
def test_two_lines_and_the_nearest_built_in(kind: type[GarageError]) -> None:
    error = kind("what is there", "what to do")

    assert str(error) == "what is there\nwhat to do"
    assert error._render_traceback_() == [f"{kind.__name__}: what is there", "  what to do"]
    assert kind is GarageError or len(kind.__bases__) == 2


def test_a_failure_without_advice_is_one_line() -> None:
    assert str(GarageError("gone")) == "gone"
    with pytest.raises(ValueError, match="gone"):
        raise InputError("gone")


def test_the_nearest_names_come_first() -> None:
    known = ["layer_0", "layer_1", "attention_1", "ffn_1"]

    assert nearest("atention_1", known).startswith("attention_1")
    assert nearest("zzz", known) == "layer_0, layer_1, attention_1"
    assert nearest("x", []) == ""


@pytest.mark.parametrize("text", [*TEXTS.values(), HALF, "x" * 10_000, "\n" * 10_000])
@pytest.mark.parametrize("whole", [False, True])
def test_it_stays_two_lines_that_can_be_seen_whatever_is_in_it(text: str, whole: bool) -> None:
    error = InputError(f"There is no {text}.", f"Nearest: {text}")
    error.whole = whole

    lines = str(error).split("\n")

    assert len(lines) == 2
    assert unseen(str(error)) == []
    assert all(0 < len(line) <= LONGEST for line in lines)
    assert str(error).encode("utf-8")
    assert error.args == (lines[0],)
    assert unseen("\n".join(error._render_traceback_())) == []
    assert whole or len("\n".join(error._render_traceback_()).split("\n")) == 2


def test_a_warning_is_one_line_too() -> None:
    assert str(PartsLeftOut("a\nb\x1b", ["layer_0"], "\u202e")).count("\n") == 0
    assert unseen(str(PartsLeftOut("a\nb\x1b", ["layer_0"], "\u202e"))) == []
