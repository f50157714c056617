"""From a line to words: quotes, comments and semicolons taken off, everything else byte for byte."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from garage_nb.errors import InputError
from garage_nb.verbs import Text, quoted
from garage_nb.words import filled, words

TABLE = object()
VARIABLES = {"n": 3, "prompt": 'say "hi"\nit\'s {n}', "table": TABLE, "minus": "-x"}

SPLIT: dict[str, list[Any]] = {
    "": [],
    "  ;  ": [],
    "# only a comment": [],
    "a b": ["a", "b"],
    "a --k=v": ["a", "--k", "v"],
    "a;": ["a"],
    "a ;b": ["a", ";b"],
    '"a";': ["a"],
    '"a;" b ;  # why': ["a;", "b"],
    "a # b": ["a"],
    '"a # b" C# x#y': ["a # b", "C#", "x#y"],
    '"It\'s" \'say "so"\'': ["It's", 'say "so"'],
    "'it'\"'\"'s'": ["it's"],
    '"say \\"hi\\" now"': ['say "hi" now'],
    '"a"b" c"': ["ab c"],
    '""': [""],
    r'"$\alpha_{1}$ \\ b" \n a\ b': [r"$\alpha_{1}$ \\ b", r"\n", "a b"],
    r'"ends so\\" C:\dir\x': ["ends so\\", r"C:\dir\x"],
    "$5 $x$ {1:02d} {} {absent} $absent a{n}": ["$5", "$x$", "{1:02d}", "{}", "{absent}", "$absent", "a{n}"],
    "{n} $n {prompt}": ["3", "3", VARIABLES["prompt"]],
    '"{n}" \'$n\' "@table" "-v"': ["{n}", "$n", "@table", "-v"],
    "@table -v table a@table": [TABLE, TABLE, "a@table"],
    '--to="a b" --to={prompt} --to=@table': ["--to", "a b", "--to", VARIABLES["prompt"], "--to", TABLE],
    '"--to=a"': ["--to=a"],
    "ünï 日本": ["ünï", "日本"],
}


@pytest.mark.parametrize("line", SPLIT)
def test_a_line_becomes_these_words(line: str) -> None:
    assert words(line, VARIABLES) == SPLIT[line]


@pytest.mark.parametrize("line", ['"-x"', "{minus}", "$minus", "@minus"])
def test_what_was_quoted_or_put_in_can_be_told_from_an_option(line: str) -> None:
    (word,) = words(line, VARIABLES)

    assert isinstance(word, Text)
    assert word == "-x"


@pytest.mark.parametrize("line", ['"open', "a 'open", "'tis the season", '"a" "', "I don't know"])
def test_a_quote_left_open_is_said(line: str) -> None:
    with pytest.raises(InputError, match="not closed"):
        words(line, VARIABLES)


@pytest.mark.parametrize("line", ["add layer_0 @tabel", "add layer_0 -v tabel"])
def test_a_variable_that_is_not_there_is_named_with_the_nearest(line: str) -> None:
    with pytest.raises(InputError, match=r"no variable 'tabel'.*\n.*table"):
        words(line, VARIABLES)


@pytest.mark.parametrize("asked", ["{table.name}", "{prompt[0]}", "{table.go(1, 2)}", "{n.real}"])
def test_more_than_a_variable_is_refused_with_what_to_write(asked: str) -> None:
    for line in (f"build --to {asked}", f"build --to={asked}", asked):
        with pytest.raises(InputError, match="more than the text of a variable") as caught:
            words(line.replace(", ", ","), VARIABLES)
        assert str(caught.value).count("\n") == 1

    assert words(f'build --to "{asked}"', VARIABLES) == ["build", "--to", asked]
    assert f"x = {asked[1:-1]}".replace(", ", ",") in caught.value.hint


@pytest.mark.parametrize("text", ["{absent.name}", "{1.5}", "{n}.x", "{n:.2f}", "a{n.real}", "{.n}", r"\frac{n.x}"])
def test_braces_around_anything_else_are_the_users_own(text: str) -> None:
    assert words(text, VARIABLES) == [text]


def test_an_object_without_a_name_is_refused() -> None:
    with pytest.raises(InputError, match="-v needs the name"):
        words("add layer_0 -v", VARIABLES)


def in_double_quotes(text: str) -> str:
    """As a shell would want it, worked out without the code that reads it."""
    said, run = "", 0
    for letter in text:
        said += "\\" * run + '\\"' if letter == '"' else letter
        run = run + 1 if letter == "\\" else 0
    return f'"{said}{chr(92) * run}"'


TEXTS = st.text(st.one_of(st.sampled_from("'\"\\{}$@#; -\n"), st.characters()))


@given(TEXTS)
@example("{n} $n @table -v --as")
@example('\\"')
def test_any_text_in_quotes_arrives_byte_for_byte(text: str) -> None:
    for line in (shlex.quote(text) if text else '""', in_double_quotes(text), quoted(text)):
        said = words(f"generate {line} --tokens 1 # why", {})
        if not line.startswith("@"):
            assert said == ["generate", text, "--tokens", "1"]


@given(TEXTS)
def test_any_text_in_a_variable_arrives_byte_for_byte(text: str) -> None:
    assert words("{x} $x @x -v x --to={x};", {"x": text}) == [text] * 4 + ["--to", text]


@given(TEXTS)
def test_any_line_is_words_or_refused(line: str) -> None:
    try:
        said = words(line, VARIABLES)
    except InputError:
        said = []

    assert all(isinstance(word, str) or word is TABLE for word in said)


def test_a_cell_is_filled_with_what_there_is() -> None:
    assert filled('{n} {absent} {} {"a": 1} {{n}} $n', VARIABLES) == '3 {absent} {} {"a": 1} {3} $n'
