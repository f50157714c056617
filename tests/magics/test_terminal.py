"""IPython in a plain terminal: words and numbers, nothing of html and no traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

LINES = """
%load_ext garage_nb
%garage load showroom
%garage capture "The capital of France is" --layers 0,-1
%garage scale layer_1 0.5
%garage generate "The capital of France is" --tokens 1
%garage scael layer_1 2
x = %garage parts attention_*
len(x.frame())
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What is shown after each prompt."""
    folder = str(tmp_path_factory.mktemp("ipython"))
    command = [sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner", "--no-confirm-exit"]
    done = subprocess.run(
        command,
        input=LINES.strip() + "\n",
        capture_output=True,
        env={**os.environ, "IPYTHONDIR": folder, "TERM": "dumb", "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        timeout=120,
    )
    return re.split(r"In \[\d+\]: ", done.stdout)[1:]


def test_answers_are_readable_text(answers: list[str]) -> None:
    _, loaded, captured, scaled, generated, *_ = answers

    assert "6 layers × 128 wide, 4 heads" in loaded
    assert re.search(r"^layer_0 +-?0\.\d+ ", captured, re.MULTILINE)
    assert re.search(r"^ *1 +scale layer_1 0\.5$", scaled, re.MULTILINE)
    assert "The capital of France is" in generated
    assert not re.search(r"</?(div|table|span|td)|<[A-Za-z.]+ object at|gnb-", "".join(answers))


def test_an_error_is_two_lines(answers: list[str]) -> None:
    assert answers[5].strip().split("\n")[0] == "InputError: There is no verb 'scael'."
    assert len(answers[5].strip().split("\n")) == 2


def test_an_assignment_keeps_the_object_and_shows_nothing(answers: list[str]) -> None:
    assert answers[6].strip() == ""
    assert answers[7].strip() == "Out[8]: 6"
