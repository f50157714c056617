"""The command line: the same verbs, each on a model named after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from torch.nn.modules.module import register_module_forward_pre_hook

from garage_nb.__main__ import main
from garage_nb.command.manual import manual
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
    layers = [line for line in lines if line.startswith("layer_")]
    assert [line.split()[0] for line in layers] == ["layer_0", "layer_3"]
    assert all("█" in line for line in layers)


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
    assert capsys.readouterr().out == f"{manual()}\n"


@pytest.mark.parametrize("words", [["help", "analyze"], ["analyze", "--help"], ["capture", "showroom", "-h"]])
def test_each_verb_is_explained(words: list[str], capsys: Captured) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out == f"{manual('capture')}\n"


def test_it_tells_its_version(capsys: Captured) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"garage-nb {version('garage-nb')}\n"


def test_what_is_printed_is_the_answer(capsys: Captured) -> None:
    assert main(["generate", "showroom", FRANCE, "--tokens", "3"]) == 0
    assert capsys.readouterr().out == f"{Garage('showroom').generate(FRANCE, tokens=3)!r}\n"


REFUSED = {
    "no folder": (["verify", "/no/such"], "/no/such", 1),
    "half a character": (["generate", "showroom", "\udcff"], "U+DCFF", 1),
    "no layer": (["analyze", "showroom", "hi", "--layers", "99"], "layer_99", 1),
    "an edit of no layer": (["generate", "showroom", "hi", "--edit", "scale layer_99 2"], "layer_99", 1),
    "no such verb": (["scael"], "no verb 'scael'", 2),
    "no such page": (["help", "scael"], "no verb 'scael'", 2),
    "no model": (["analyze"], "capture needs a model", 2),
    "no prompt": (["analyze", "/no/such"], "capture needs PROMPT", 2),
    "an option there is not": (["parts", "/no/such", "--colour"], "--colour", 2),
    "a session's": (["stop"], "stop belongs to a session", 2),
    "too much": (["demo", "now"], "demo takes no further words", 2),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_error_is_two_lines_and_its_exit_code(case: str, capsys: Captured) -> None:
    """1 for what is refused; 2 for what is not understood, before any model is looked for."""
    words, message, code = REFUSED[case]

    assert main(words) == code

    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.strip().split("\n")) == 2
    assert message in shown.err


INTERRUPTED = """
import signal, sys
from garage_nb.__main__ import main
class WhileImporting:
    def find_spec(self, name, *rest):
        if name == "garage_nb.garage":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, WhileImporting())
sys.exit(main(["models"]))
"""


def test_an_interrupt_ends_with_130() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=120)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_survey_that_is_interrupted_ends_with_130_too_and_says_what_was_done(
    capsys: Captured, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(f"{FRANCE} Paris .\n" * 3, encoding="utf-8")

    def interrupt(module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        if isinstance(module, torch.nn.Embedding) and len(given[0]) == 3:
            signal.raise_signal(signal.SIGINT)

    handle = register_module_forward_pre_hook(interrupt)
    try:
        assert main(["survey", "showroom", str(corpus), "--on", "here"]) == 130
    finally:
        handle.remove()

    assert "The survey was interrupted after 0 texts" in capsys.readouterr().err


def test_json_goes_on_to_another_program(capsys: Captured) -> None:
    assert main(["parts", "showroom", "attention_*", "--format", "json"]) == 0

    rows = json.loads(capsys.readouterr().out)
    assert [row["part"] for row in rows] == [f"attention_{layer}" for layer in range(6)]


def test_the_registry_needs_no_model(capsys: Captured) -> None:
    assert main(["registry", "add", "showroom"]) == 0
    assert main(["registry"]) == 0
    assert capsys.readouterr().out.count("\nshowroom ") == 2
