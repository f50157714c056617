"""Items of one's own: what is read is what was written, and what cannot be is refused with its number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from garage_nb.analyze.judging.exercise import Exercise, exercises_of
from garage_nb.analyze.judging.exercise_file import read_exercises
from garage_nb.errors import InputError
from garage_nb.showroom import items

FRANCE = Exercise(ways=(("The capital of France is", " Paris"), ("The capital of France is", "Paris")))
SUM = Exercise(ways=(("2 + 2 =", " 4"),), domain="sums")


def test_pairs_mappings_and_exercises_are_one() -> None:
    mapping = {"prompt": "2 + 2 =", "answer": " 4", "domain": "sums"}

    assert exercises_of([("The capital of France is", "Paris"), mapping]) == [FRANCE, SUM]
    assert exercises_of([FRANCE, ["2 + 2 =", [" 4"]]]) == [FRANCE, Exercise(ways=SUM.ways)]
    assert exercises_of([SUM, FRANCE, mapping]) == [SUM, FRANCE]


def test_a_space_is_only_left_open_where_none_was_written() -> None:
    (several,) = exercises_of([("Q: 2 + 2\nA:", ["4", " four"])])

    assert [way[1] for way in several.ways] == [" 4", "4", " four"]
    assert exercises_of([("A:\n", "4")])[0].ways == (("A:\n", "4"),)
    assert several.text == "Q: 2 + 2\nA: 4"


def test_an_item_of_the_showroom_is_one_with_all_its_answers() -> None:
    item = items("recall", n=1)[0]

    assert item.exercise == Exercise(ways=(item.parts,), domain="recall")
    assert item.exercise.text == item.text


WRONG: dict[str, tuple[Any, str]] = {
    "none": ([], "No items"),
    "text": ("2 + 2", "Items were expected, not str"),
    "mapping": ({"a": "b"}, "Items were expected, not dict"),
    "number": ([3], "Item 1 is no pair"),
    "short": ([("a",)], "Item 1 is no pair"),
    "word": (["ab"], "Item 1 is no pair"),
    "second": ([("a", "b"), ("a", "")], "Item 2 has an answer that is no text"),
    "blank": ([("  ", "b")], "Item 1 has no prompt"),
    "no answers": ([("a", [])], "Item 1 has no answer"),
    "answer": ([("a", 4)], "Item 1 has an answer that is no text: 4"),
    "unknown": ([{"prompt": "a", "answer": "b", "category": "x"}], "Item 1 says 'category'"),
    "missing": ([{"prompt": "a"}], "Item 1 has no answer"),
    "domain": ([{"prompt": "a", "answer": "b", "domain": 3}], "Item 1 has a domain that cannot be used: 3"),
    "all": ([{"prompt": "a", "answer": "b", "domain": "all"}], "cannot be used: 'all'"),
    "half": ([("a \ud800", "b")], "Item 1 holds half a character"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_item_is_refused_in_two_lines(kind: str) -> None:
    given, said = WRONG[kind]

    with pytest.raises(InputError, match=said) as caught:
        exercises_of(given)
    assert str(caught.value).count("\n") == 1


def test_files_say_the_same(tmp_path: Path) -> None:
    listed = tmp_path / "items.json"
    listed.write_text(
        json.dumps([["The capital of France is", "Paris"], {"prompt": "2 + 2 =", "answer": " 4", "domain": "sums"}])
    )
    table = tmp_path / "items.csv"
    table.write_text('\ufeffdomain,prompt,answer\r\n,The capital of France is,Paris\r\n\r\nsums,"2 + 2 =", 4\r\n')

    assert read_exercises(listed) == read_exercises(str(table)) == [FRANCE, SUM]


BROKEN: dict[str, tuple[bytes, str]] = {
    "a.json": (b"[", r"a\.json is no JSON"),
    "deep.json": (b"[" * 100_000, r"deep\.json is no JSON"),
    "b.json": (b'{"prompt": "a"}', r"b\.json is no list"),
    "c.json": (b'[["a", "b"], ["a"]]', r"c\.json: Item 2 is no pair"),
    "d.json": (b'["\xff"]', "not UTF-8"),
    "e.json": (b'[["a \\ud800", "b"]]', "half a character"),
    "a.csv": (b"", r"a\.csv is no CSV"),
    "b.csv": (b"prompt,reply\na,b\n", "has the heads prompt, reply"),
    "c.csv": (b"prompt,answer,prompt\na,b,c\n", "has the heads"),
    "d.csv": (b"prompt,answer\na,b\na,b,c\n", "item 2 has 3 cells under 2 heads"),
    "e.csv": (b'prompt,answer\n"a,b\n', r"e\.csv is no CSV"),
    "f.csv": (b"prompt,answer\na,\n", r"f\.csv: Item 1 has an answer"),
    "g.csv": (b"prompt,answer\n", "No items"),
    "a.pkl": (b"", r"\.json or \.csv"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, name: str) -> None:
    data, said = BROKEN[name]
    (tmp_path / name).write_bytes(data)

    with pytest.raises(InputError, match=said) as caught:
        read_exercises(tmp_path / name)
    assert str(caught.value).count("\n") == 1


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_exercises(tmp_path / "items.json")
