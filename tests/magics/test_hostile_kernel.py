"""Hostile text over the wire of a real kernel: what a notebook is sent shows it as text, and errors stay two lines."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.answers.test_hostile import Page, says
from tests.hostile import HALF, TEXTS, unseen

VERBS = [
    "generate @text --tokens 2", "compare --prompt @text", "sweep @text --parts 0 --factors 0", "scale @text 1",
    "generate @text --tokens 0", "load @text", "plot @text --save @text",
]  # fmt: skip
NAMES = [*TEXTS, "half"]


@pytest.fixture(scope="module")
def outputs() -> dict[tuple[str, str], list[Any]]:
    """By text and line. A cell that fails does not stop the others."""
    lines = [(name, verb) for name in NAMES for verb in VERBS]
    texts = {**TEXTS, "half": HALF}
    start = ["%load_ext garage_nb", "%garage load showroom"]
    cells = [f"text = {texts[name]!a}\n%garage {verb}" for name, verb in lines]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in [*start, *cells]])
    NotebookClient(notebook, timeout=300, kernel_name="python3", allow_errors=True).execute()
    return {line: cell.outputs for line, cell in zip(lines, notebook.cells[len(start) :], strict=True)}


@pytest.mark.parametrize("verb", VERBS[:3])
@pytest.mark.parametrize("name", TEXTS)
def test_answers_show_it_as_text(outputs: Any, name: str, verb: str) -> None:
    (output,) = [output for output in outputs[name, verb] if output.output_type == "execute_result"]
    page = Page(output.data["text/html"])

    assert unseen(output.data["text/plain"]) == []
    assert "<div" not in output.data["text/plain"]
    assert unseen(page.words) == []
    assert says(page.words, TEXTS[name])
    assert not {"script", "b"} & {tag for tag, _ in page.tags}


@pytest.mark.parametrize("verb", VERBS[3:])
@pytest.mark.parametrize("name", NAMES)
def test_errors_are_two_lines_that_can_be_seen(outputs: Any, name: str, verb: str) -> None:
    (output,) = [output for output in outputs[name, verb] if output.output_type == "error"]

    assert output.ename in ("InputError", "UnknownPartError", "ModelNotFoundError")
    assert len(output.traceback) == 2
    assert output.traceback[0].startswith(f"{output.ename}: ")
    for line in (*output.traceback, *output.evalue.split("\n")):
        assert unseen(line) == []
        assert "\n" not in line
    assert output.evalue.count("\n") == 1
