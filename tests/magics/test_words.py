"""From a line to words: quotes, comments and semicolons taken off, everything else byte for byte."""

from __future__ import annotations

from typing import Any

import pytest

from garage_nb.errors import InputError
from garage_nb.magics.words import words
from garage_nb.verbs import Text

TABLE = object()
VARIABLES = {"n": 3, "prompt": 'say "hi"\nit\'s {n}', "table": TABLE, "minus": "-x"}

SPLIT: dict[str, list[Any]] = {
    "": [],
    "  ;  ": [],
    "# only a comment": [],
    "a b": ["a", "b"],
    "a --k=v": ["a", "--k=v"],
    "a;": ["a"],
    '"a";': ["a"],
    '"a;" b ;  # why': ["a;", "b"],
    "a # b": ["a"],
    '"a # b" C# x#y': ["a # b", "C#", "x#y"],
    "I don't know": ["I", "don't", "know"],
    '"It\'s" \'say "so"\'': ["It's", 'say "so"'],
    '"say "hi" now': ['say "hi', "now"],
    '"a"b c"': ['a"b c'],
    '""': [""],
    r'"$\alpha_{1}$" \n': [r"$\alpha_{1}$", r"\n"],
    "$n {1:02d} {} {absent} a{n}": ["$n", "{1:02d}", "{}", "{absent}", "a{n}"],
    '{n} "{n}" {prompt}': ["3", "3", VARIABLES["prompt"]],
    '@table "@table" a@table': [TABLE, "@table", "a@table"],
    '--to="a b" --to={prompt} --to=@table': ["--to", "a b", "--to", VARIABLES["prompt"], "--to", TABLE],
    "ünï 日本": ["ünï", "日本"],
}


@pytest.mark.parametrize("line", SPLIT)
def test_a_line_becomes_these_words(line: str) -> None:
    assert words(line, VARIABLES) == SPLIT[line]


@pytest.mark.parametrize("line", ['"-x"', "{minus}", '"{minus}"'])
def test_what_was_quoted_or_put_in_can_be_told_from_an_option(line: str) -> None:
    (word,) = words(line, VARIABLES)

    assert isinstance(word, Text)
    assert word == "-x"


@pytest.mark.parametrize("line", ['"open', "a 'open", "'tis the season", '"a" "'])
def test_a_quote_left_open_is_said(line: str) -> None:
    with pytest.raises(InputError, match="not closed"):
        words(line, VARIABLES)


def test_a_variable_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no variable 'tabel'.*\n.*table"):
        words("add layer_0 @tabel", VARIABLES)
