"""The command line: the same verbs, each on a model named after it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from garage_nb.__main__ import main
from garage_nb.garage import Garage

FRANCE = "The capital of France is"
Captured = pytest.CaptureFixture[str]


def garage(*words: str, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "garage_nb", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, env={**os.environ, **environment})


def test_analyze_prints_the_layers_with_bars() -> None:
    out, error = garage(
        "analyze", "showroom", "--prompt", FRANCE, "--layers", "0,3", PYTHONIOENCODING="utf-8"
    ).communicate()

    lines = out.decode().rstrip().split("\n")
    assert error == b""
    assert [line.split()[0] for line in lines[2:]] == ["layer_0", "layer_3"]
    assert all("█" in line for line in lines[2:])


def test_a_terminal_without_unicode_gets_its_table() -> None:
    process = garage("analyze", "showroom", "hi", "--layers", "0", PYTHONIOENCODING="ascii")

    out, error = process.communicate()

    assert (process.returncode, error) == (0, b"")
    assert b"layer_0" in out


def test_a_reader_who_has_enough_is_no_error() -> None:
    process = garage("help")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()

    assert process.wait(120) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["-h"]])
def test_without_a_verb_it_helps(words: list[str], capsys: Captured) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out == f"{Garage().help()!r}\n"


@pytest.mark.parametrize("words", [["help", "analyze"], ["analyze", "--help"], ["capture", "showroom", "-h"]])
def test_each_verb_is_explained(words: list[str], capsys: Captured) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out == f"{Garage().help('capture')!r}\n"


def test_what_is_printed_is_the_answer(capsys: Captured) -> None:
    assert main(["generate", "showroom", FRANCE, "--tokens", "3"]) == 0
    assert capsys.readouterr().out == f"{Garage('showroom').generate(FRANCE, tokens=3)!r}\n"


REFUSED = {
    "no such verb": (["scael"], "no verb 'scael'"),
    "no model": (["analyze"], "capture needs a model"),
    "an option for a model": (["analyze", "--prompt", "x"], "capture needs a model"),
    "no session": (["scale", "showroom", "layer_0", "0.5"], "scale changes a session"),
    "nothing to load into": (["load", "showroom"], "load changes a session"),
    "no folder": (["verify", "/no/such"], "/no/such"),
    "no prompt": (["analyze", "showroom"], "capture needs PROMPT"),
    "half a character": (["generate", "showroom", "\udcff"], "U\\+DCFF"),
    "no layer": (["analyze", "showroom", "hi", "--layers", "99"], "layer_99"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_error_is_two_lines_and_exit_code_1(case: str, capsys: Captured) -> None:
    words, message = REFUSED[case]

    assert main(words) == 1

    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.strip().split("\n")) == 2
    assert message.replace("\\", "") in shown.err


def test_the_registry_needs_no_model(capsys: Captured) -> None:
    assert main(["registry", "add", "showroom"]) == 0
    assert main(["registry"]) == 0
    assert capsys.readouterr().out.count("\nshowroom ") == 2
