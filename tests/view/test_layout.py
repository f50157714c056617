"""Columns of text share a line of a terminal: numbers whole, texts cut in the middle, what finds no room below."""

from __future__ import annotations

import wcwidth
from hypothesis import given
from hypothesis import strategies as st

from garage_nb.plain import one_line
from garage_nb.view.bars import Column, Table
from garage_nb.view.cards import Card
from garage_nb.view.terminal import fit, pad, wrapped


def widest(text: str) -> int:
    return max(map(wcwidth.width, text.split("\n")))


def test_wide_signs_and_accents_line_up() -> None:
    rows = (
        Table(["日本", "e\u0301", "👨\u200d👩\u200d👧", "ab"], [Column("x", [1.0, 2.0, 3.0, 4.0])]).text().split("\n")
    )

    assert {wcwidth.width(row) for row in rows} == {7}


def test_long_texts_are_cut_in_the_middle_and_numbers_are_not() -> None:
    text = Table(["a" * 80 + "z"], [Column("kind", ["b" * 80 + "y"]), Column("n", [123.456])]).text()

    assert widest(text) <= 100
    (row,) = text.split("\n")[1:]
    assert row.startswith("aaa")
    assert "…" in row
    assert "z " in row
    assert row.endswith("y  123.456")


def test_heads_go_on_several_lines_before_anything_is_cut() -> None:
    columns = [Column(f"norm of layer_{n}", [n + 0.5]) for n in range(9)]
    lines = Table(["step"], columns).text().split("\n")

    assert lines[0].split() == ["norm", "of"] * 9
    assert lines[1].split() == [f"layer_{n}" for n in range(9)]
    assert "…" not in "".join(lines)


def test_a_head_of_two_words_is_folded_and_not_cut() -> None:
    lines = Table(["a" * 80], [Column("parameters, M", ["1.067"]), Column("likeliest differs", ["0.2"])]).text()

    assert widest(lines) <= 100
    assert lines.split("\n")[0].split() == ["parameters,", "likeliest"]
    assert lines.split("\n")[1].split() == ["M", "differs"]


def test_columns_without_room_stand_below_beside_the_names() -> None:
    text = Table(["first", "second"], [Column(f"column_{n}", [n * 1.5, 1e6]) for n in range(20)]).text()

    panels = text.split("\n\n")
    assert widest(text) <= 100
    assert len(panels) > 1
    assert all(panel.split("\n")[1].startswith("first ") for panel in panels)
    assert " ".join(panel.split("\n")[0].strip() for panel in panels).split() == [f"column_{n}" for n in range(20)]


def test_line_ends_stay_inside_their_cell() -> None:
    table = Table(["a\nb"], [Column("x\ny", ["1\t2"])], caption="c\nd", title="e\nf")

    assert table.text().split("\n") == [r"e\nf · c\nd", r"      x\ny", r"a\nb  1\t2"]
    assert r"<th scope=" + '"row">' + r"a\nb</th>" in table.html()


def test_a_long_title_gives_way_to_what_stands_behind_it() -> None:
    table = Table(["a"], [Column("x", [1.0])], title="prompt " * 40, caption="KL = 0.1 nats")

    first = table.text().split("\n")[0]
    assert first.startswith("prompt prompt")
    assert "…" in first
    assert first.endswith(" · KL = 0.1 nats")
    assert widest(table.text()) == 100
    assert f'title="{"prompt " * 40}"' in table.html()


def test_a_card_wraps_its_facts_under_themselves() -> None:
    lines = Card("title", {"label": "word " * 40 + "end", "b": "x" * 150}).text().split("\n")

    assert all(len(line) <= 100 for line in lines)
    assert lines[1].startswith("  label  word")
    assert all(line.startswith(" " * 9) for line in lines[2:4])
    assert "".join(lines).count("x") == 150


@given(st.text(), st.integers(1, 40))
def test_a_text_that_is_fitted_fits(text: str, most: int) -> None:
    shown = one_line(text)

    assert wcwidth.width(fit(shown, most)) <= most
    assert wcwidth.width(pad(fit(shown, most), most)) == most


def test_a_line_that_fits_keeps_its_spaces() -> None:
    assert wrapped("  a   b \n\nc", 20) == ["  a   b ", "", "c"]
    assert wrapped("aaa bbb ccc", 7) == ["aaa bbb", "ccc"]


def test_prose_goes_on_below_and_is_never_cut() -> None:
    reason = "the block calls its attention twice " * 5

    lines = Table(["layer_0", "b"], [Column("verdict", [reason, "holds"]), Column("n", [1.0, 2.0])]).text().split("\n")

    assert widest("\n".join(lines)) <= 100
    assert lines[1].startswith("layer_0  the block")
    assert lines[1].endswith("  1")
    assert lines[2].startswith(" " * 9)
    assert lines[-1].split() == ["b", "holds", "2"]
    assert "…" not in "".join(lines)
