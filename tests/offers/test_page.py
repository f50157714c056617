"""Help is answered before there is a garage: the same page, and no torch."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from garage_nb.errors import InputError
from garage_nb.garage import Garage
from garage_nb.offers import page
from garage_nb.verbs import Text, call

ASKING: list[list[Any]] = [
    [], ["help"], ["--help"], ["help", "scale"], ["help", "open"], ["help", "-h"], ["scale", "--help"],
    ["scale", "layer_0", "-h"],
]  # fmt: skip


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_a_page_is_what_the_garage_answers(words: list[Any]) -> None:
    found = page(words)

    assert repr(found) == repr(call(Garage(), words))
    assert found._repr_html_() == call(Garage(), words)._repr_html_()  # type: ignore[union-attr]


@pytest.mark.parametrize("words", [["status"], ["generate", Text("--help")], ["help", "scale", "add"]])
def test_other_lines_have_none(words: list[Any]) -> None:
    assert page(words) is None


def test_help_for_what_is_no_verb_is_refused() -> None:
    with pytest.raises(InputError, match=r"no verb 'scael'.*\n.*scale"):
        page(["help", "scael"])


def test_the_first_help_of_a_notebook_imports_no_torch() -> None:
    script = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
shell.run_line_magic("load_ext", "garage_nb")
for line in ("help", "help capture", ""):
    answer = shell.run_line_magic("garage", line)
    print(len(repr(answer)) > 100, len(answer._repr_html_()) > 100)
print(sorted({"torch", "transformers", "pandas", "matplotlib", "cyclopts"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)

    assert done.stdout.split("\n") == ["True True"] * 3 + ["[]", ""], done.stderr
