"""One real Jupyter kernel: what a notebook user gets, over the wire."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

CELLS = [
    "%load_ext garage_nb",
    "%garage load showroom",
    'shots = %garage capture "The capital of France is" --layers 0,-1',
    "len(shots)",
    '%garage generate "<b>{x}</b> $y" --tokens 1',
    '%garage plot "a" --statistic entropy',
    "%garage scale layer_99 0.5",
    "print('never reached')",
]


@pytest.fixture(scope="module")
def executed() -> tuple[Any, CellExecutionError]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    with pytest.raises(CellExecutionError) as caught:
        NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return notebook, caught.value


def test_answers_come_as_text_and_as_html(executed: Any) -> None:
    (output,) = executed[0].cells[1].outputs

    assert output.output_type == "execute_result"
    assert output.data["text/plain"].startswith("showroom\n")
    assert "gnb-card" in output.data["text/html"]


def test_an_assignment_shows_nothing_and_keeps_the_object(executed: Any) -> None:
    assert executed[0].cells[2].outputs == []
    assert executed[0].cells[3].outputs[0].data["text/plain"] == "2"


def test_a_prompt_is_shown_as_text(executed: Any) -> None:
    (output,) = executed[0].cells[4].outputs

    assert output.data["text/plain"].startswith("<b>{x}</b> $y\n")
    assert "&lt;b&gt;{x}&lt;/b&gt; $y" in output.data["text/html"]


def test_a_plot_is_a_picture_with_words(executed: Any) -> None:
    (output,) = executed[0].cells[5].outputs

    assert output.data["text/plain"].startswith("entropy of")
    assert output.data["image/png"]
    assert output.metadata["image/png"]["alt"] == output.data["text/plain"]


def test_an_error_has_its_name_two_lines_and_stops_run_all(executed: Any) -> None:
    notebook, error = executed

    (output,) = notebook.cells[6].outputs
    assert output.ename == error.ename == "UnknownPartError"
    assert len(output.traceback) == 2
    assert "layer_99" in output.traceback[0]
    assert "Nearest" in output.traceback[1]
    assert notebook.cells[7].execution_count is None


BODY = "%%garage scale layer_0 0.5\nz = 0\n1 / z"


def test_a_cell_that_fails_under_an_edit_fails_once_and_stops_run_all() -> None:
    cells = [
        *CELLS[:2],
        "%%garage scale layer_0 0.5\nx = %garage status\nlen(x.recipe)",
        BODY,
        "print('never reached')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])

    with pytest.raises(CellExecutionError) as caught:
        NotebookClient(notebook, timeout=120, kernel_name="python3").execute()

    (shown,) = notebook.cells[2].outputs
    assert (shown.output_type, shown.data["text/plain"]) == ("execute_result", "1")
    (error,) = notebook.cells[3].outputs
    assert error.ename == caught.value.ename == "ZeroDivisionError"
    assert notebook.cells[4].execution_count is None
