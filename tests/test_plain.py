"""What cannot be seen is written out; everything else stays as it was typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garage_nb.plain import count, one_line, shorten, visible

from .hostile import unseen


def test_one_is_not_several() -> None:
    assert [count(number, "more edit") for number in (0, 1, 2, 1000)] == [
        "0 more edits",
        "1 more edit",
        "2 more edits",
        "1,000 more edits",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("nul\x00", r"nul\x00"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("abc\u202egnp", r"abc\u202egnp"),
        ("\ud800", r"\ud800"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("a\u2028b\x85c", r"a\u2028b\x85c"),
        ("日本 👨\u200d👩\u200d👧 e\u0301 ❤\ufe0f", "日本 👨\u200d👩\u200d👧 e\u0301 ❤\ufe0f"),
        ("hard\u00a0space", "hard\u00a0space"),
        (r"$\frac{$", r"$\frac{$"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_line_is_one_line() -> None:
    assert one_line("one\ntwo\r\nthree\tfour\rfive") == r"one\ntwo\nthree\tfour\rfive"


@given(st.text(st.characters(codec=None)))
def test_any_text_is_one_line_that_can_be_seen_and_printed(text: str) -> None:
    line = one_line(text)

    assert line.splitlines() in ([line], [])
    assert unseen(line) == []
    assert line.encode("utf-8") or not text
    assert one_line(line) == line


@given(st.text(), st.integers(1, 30))
def test_a_short_text_keeps_both_ends(text: str, most: int) -> None:
    cut = shorten(text, most)

    assert len(cut) <= most
    assert cut == text or (text.startswith(cut.split("…")[0]) and len(cut) == most)
