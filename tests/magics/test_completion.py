"""Tab on a %garage line, in the oldest IPython and in the newest."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import IPython
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from garage_nb.magics.completion import MATCHER, completed
from garage_nb.words import begun

Run = Callable[[str], Any]
Tab = Callable[[str], dict[str, str]]
TYPED = IPython.version_info >= (8, 6)  # older ones know no types, and replace only what is behind a delimiter


@pytest.fixture
def tab(shell: InteractiveShell) -> Tab:
    """`tab("%garage sc")`: the line after each of the completions, and what kind it is."""
    shell.Completer.use_jedi = False

    def lines(text: str) -> dict[str, str]:
        with provisionalcompleter():
            found = list(shell.Completer.completions(text, len(text)))
        return {text[: item.start] + item.text + text[item.end :]: item.type for item in found}

    return lines


LINES = {
    "%garage sc": "%garage scale",
    "x = %garage ca": "x = %garage capture",
    "x, y['a'] = %garage ca": "x, y['a'] = %garage capture",
    "    %garage sc": "    %garage scale",
    "for i in range(3):\n    %garage sc": "for i in range(3):\n    %garage scale",
    "%%garage sc": "%%garage scale",
    "%garage scale layer_1": "%garage scale layer_1",
    "%garage scale 0,attention_2": "%garage scale 0,attention_2",
    "%garage scale attention_*.": "%garage scale attention_*.heads",
    "%garage scale ffn_3.": "%garage scale ffn_3.neurons",
    "%garage capture 'a b' --lay": "%garage capture 'a b' --layers",
    "%garage capture 'a b' --layers=0,lay": "%garage capture 'a b' --layers=0,layer_*",
    "%garage capture 'a b' --layers '0,lay": "%garage capture 'a b' --layers '0,layer_*",
    "%garage scale layer_1 0.5 --to": "%garage scale layer_1 0.5 --tokens",
    "%garage scale layer_1 0.5 --as x --de": "%garage scale layer_1 0.5 --as x --debug",
    "%%garage capture --f": "%%garage capture --fmt",
    "%garage load show": "%garage load showroom-moe",
    "%garage load @mod": "%garage load @model",
    "%garage ablate layer_1 re": "%garage ablate layer_1 resample",
    "%garage plot x --statistic ent": "%garage plot x --statistic entropy",
    "%garage help sw": "%garage help sweep",
}


@pytest.mark.parametrize("line", LINES)
def test_a_line_goes_on(shell: InteractiveShell, run: Run, tab: Tab, line: str) -> None:
    run("%garage load showroom")
    shell.push({"model": shell.magics_manager.registry["GarageMagics"].garage.model})

    assert LINES[line] in tab(line)


KINDS = {
    "%garage scale": "verb",
    "%garage scale layer_1 2 --tokens": "option",
    "%garage scale 0,output_head": "part",
    "%garage scale all": "selector",
    "%garage load @model": "variable",
    "%garage load showroom-moe": "model",
    "%garage ablate layer_1 zero": "value",
}


@pytest.mark.parametrize("line", KINDS)
def test_each_has_its_type_and_nothing_else_is_offered(shell: InteractiveShell, run: Run, tab: Tab, line: str) -> None:
    run("%garage load showroom")
    shell.push({"model": shell.magics_manager.registry["GarageMagics"].garage.model, "tokens": 1, "zero": 1})

    assert tab(line[:-1]) == {line: KINDS[line] if TYPED else "<unknown>"}


@pytest.mark.skipif(not TYPED, reason="this IPython drops what does not begin with the word")
def test_a_mistyped_word_is_mended(run: Run, tab: Tab) -> None:
    run("%garage load showroom")

    assert "%garage scale" in tab("%garage scael")
    assert tab("%garage scale laeyr_3")["%garage scale layer_3"] == "part"


@pytest.mark.parametrize("line", ["%garage capture lay", "%garage capture 'the layer", '%garage generate "attention_'])
def test_a_prompt_gets_no_parts(shell: InteractiveShell, run: Run, tab: Tab, line: str) -> None:
    run("%garage load showroom")

    assert not [found for found in tab(line) if "layer_" in found or "attention_*" in found]


@pytest.mark.parametrize("line", ["garage sc", "%garages sc", "print('%garage sc", "# %garage", "%garage", "%time 1"])
def test_other_lines_are_left_alone(shell: InteractiveShell, line: str) -> None:
    magics = shell.magics_manager.registry["GarageMagics"]

    assert completed(magics, line) == ("", [])


def test_a_file_with_a_space_is_one_word(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "my plot.png").touch()
    monkeypatch.chdir(tmp_path)
    magics = shell.magics_manager.registry["GarageMagics"]

    bare, inside = (completed(magics, f"%garage plot x --save {begun}")[1] for begun in ("my", "'my"))

    assert bare[0].text == '"my plot.png"'
    assert inside[0].text == "my plot.png"


def test_a_tab_that_cannot_be_answered_says_nothing(
    shell: InteractiveShell, tab: Tab, capfd: pytest.CaptureFixture[str]
) -> None:
    line = "%garage load ~nobody-at-all/"

    assert not [found for found in tab(line) if found.startswith(line)]
    assert capfd.readouterr() == ("", "")


def test_before_the_first_line_a_tab_does_not_wait_for_torch() -> None:
    script = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
shell.run_line_magic("load_ext", "garage_nb")
for line in ("%garage scal", "%garage scale layer_1 1 --to", "%garage load sh", "%garage ablate x re"):
    print(*shell.complete(None, line, len(line))[1])
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    verbs, options, models, choices, torch = done.stdout.split("\n")[-6:-1]

    assert (verbs, options, choices, torch) == ("scale", "--tokens", "resample", "False"), done.stderr
    assert "showroom-moe" in models


def left(shell: InteractiveShell) -> list[object]:
    """What answers a Tab on our behalf."""
    hooks = shell.strdispatchers["complete_command"].regexs if "complete_command" in shell.strdispatchers else {}
    matchers = [each for each in shell.Completer.custom_matchers if getattr(each, "matcher_identifier", "") == MATCHER]
    return [*matchers, *(key for key in hooks if "garage" in key.pattern)]


def test_unloading_takes_it_out_and_reloading_leaves_one(shell: InteractiveShell, run: Run, tab: Tab) -> None:
    assert len(left(shell)) == 1
    run("%garage load showroom")
    shell.run_line_magic("reload_ext", "garage_nb")
    assert len(left(shell)) == 1
    assert "%garage scale layer_2" in tab("%garage scale layer_2")

    shell.run_line_magic("unload_ext", "garage_nb")

    assert left(shell) == []
    assert "%garage scale" not in tab("%garage sc")


SIGNS = st.text(st.sampled_from("ab0-_=.,*@#;:'\"\\ \t/%{}$é"), max_size=30)


@given(SIGNS)
def test_any_line_can_break_off_anywhere(line: str) -> None:
    finished, word = begun(line)

    assert line.endswith(word)
    assert len(finished) <= len(line) - len(word)


@given(
    st.lists(st.sampled_from(["scale", "'a b'", '"x#y"', "--layers=0", "@x"]), max_size=4),
    st.sampled_from(["", "la", '"the l']),
)
def test_the_word_under_the_cursor_is_what_is_not_finished(words: list[str], word: str) -> None:
    finished, last = begun(" ".join([*words, word]))

    assert last == word
    assert finished == [text.strip("'\"") for text in words]
