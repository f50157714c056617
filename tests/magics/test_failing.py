"""What an error leaves in the kernel, and how much of it is shown."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from tests.families import prompt, tiny

Run = Callable[[str], Any]
FAILURES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "of the user's own": lambda hidden: hidden / 0 if hidden.ndim < 3 else 1 / 0,  # type: ignore[return-value]
    "NaN": lambda hidden: hidden * float("nan"),
    "out of memory": lambda hidden: hidden.repeat(1 << 20, 1 << 20, 1 << 20),
}


@pytest.mark.parametrize(("what", "debug"), [*((what, False) for what in FAILURES), ("of the user's own", True)])
def test_the_last_error_keeps_no_tensor_of_the_run(shell: InteractiveShell, run: Run, what: str, debug: bool) -> None:
    seen: list[Any] = []

    def fails(hidden: torch.Tensor) -> torch.Tensor:
        hidden = hidden + 1  # one that nothing but the run holds
        seen.append(ref(hidden))
        return FAILURES[what](hidden)

    shell.push({"model": tiny("llama"), "ids": prompt(), "fails": fails})
    run("%garage load @model")
    run("%garage through layer_1 @fails")

    assert not shell.run_cell(f"%garage capture @ids --layers 2 {'--debug' if debug else ''}").success
    gc.collect()

    assert sys.last_value is not None
    assert (seen[0]() is not None) == debug


def test_debug_shows_the_whole_of_it(shell: InteractiveShell, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("%garage load showroom")
    capsys.readouterr()

    shell.run_cell("%garage scale layer_99 0.5 --debug")
    whole = capsys.readouterr().out
    shell.run_cell("%garage scale layer_99 0.5")
    short = capsys.readouterr().out

    assert "Traceback" in whole
    assert "UnknownPartError: " in whole
    assert short.strip().split("\n")[0] in whole
    assert short.strip().count("\n") == 1


def test_tb_shows_the_rest(shell: InteractiveShell, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("%garage load showroom")
    shell.run_cell("%garage scale layer_99 0.5")
    capsys.readouterr()

    shell.run_line_magic("tb", "")

    assert "Traceback" in capsys.readouterr().out
