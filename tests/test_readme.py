"""What the README shows works, line by line, in a shell and in Python."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from garage_nb import open_result
from garage_nb.widgets import SurveyView
from tests.magics.conftest import run, shell

__all__ = ["run", "shell"]  # fixtures

README = Path(__file__).parents[1] / "README.md"
SHOWN = re.findall(r"^```(\w*)\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
LINES = [block for language, block in SHOWN if "%garage" in block]
TEXTS = [f"The capital of {country} is {city}" for country in ("France", "Spain") for city in ("Paris", "Madrid")]
PYTHON = [block for language, block in SHOWN if language == "python"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = [{"text": text, "domain": text.split()[-1]} for text in TEXTS]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("block", LINES, ids=range(len(LINES)))
def test_lines(block: str, shell: InteractiveShell, run: Callable[[str], Any], elsewhere: Path) -> None:
    shell.push({"texts": TEXTS, "executor": ThreadPoolExecutor(1)})
    answers = [run(line.partition("  #")[0].strip()) for line in block.splitlines()]

    assert all(one.wait(120) and one.survey.whole for one in answers if isinstance(one, SurveyView))
    assert "--to hybrid" not in block or (elsewhere / "hybrid" / "model.safetensors").is_file()


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_python(block: str, run: Callable[[str], Any], elsewhere: Path) -> None:
    run(block)

    saved = re.findall(r'save\w*\("([\w.]+)"', block)
    assert saved
    assert all((elsewhere / name).exists() for name in saved)


def test_claims_are_said_to_be_what_they_were_found_to_be() -> None:
    row = r"^\| `([\w-]+)` \| .* \| (\w[\w ]*) \| ([−+]?[\d.]+) \("
    said = re.findall(row, README.read_text(encoding="utf-8"), re.MULTILINE)
    found = open_result(README.parent / "notebooks" / "results" / "claims.csv").frame()

    assert [(key, ruling) for key, ruling, _ in said] == list(found["ruling"].items())
    assert [float(effect.replace("−", "-")) for *_, effect in said] == pytest.approx(list(found["effect"]), abs=0.005)


def test_something_is_shown() -> None:
    assert len(LINES) == 3
    assert len(PYTHON) == 2
