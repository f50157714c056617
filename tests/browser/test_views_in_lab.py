"""The attention and lens views in a real JupyterLab: typed prompts, chosen heads, and the recipe that they follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Locator, expect

from .labpage import Notebook

SETUP = """
from garage_nb import Garage
garage = Garage("showroom")
"""
ATTENTION = """
from garage_nb.widgets import AttentionView, LensView
view = AttentionView(garage, "The capital of France is")
view
"""
LENS = """
lens = LensView(garage, "The capital of France is")
lens
"""
Open = Callable[..., AbstractContextManager[Notebook]]


@pytest.fixture(scope="module", params=["perCommTarget", pytest.param("disabled", marks=pytest.mark.slow)])
def notebook(request: pytest.FixtureRequest, open_notebook: Open) -> Iterator[Notebook]:
    with open_notebook(f"views_{request.param}", [SETUP, ATTENTION, LENS, "1"], comms=request.param) as notebook:
        assert notebook.run_all() is True
        yield notebook


def panel(notebook: Notebook, cell: int) -> Locator:
    found: Locator = notebook.cell(cell).locator(".gnb")
    found.wait_for()
    return found


def test_a_head_is_chosen_by_keyboard_and_no_cell_is_lost(notebook: Notebook) -> None:
    view, cells = panel(notebook, 1), notebook.panel.locator(".jp-Cell").count()
    view.get_by_role("gridcell", name="attention_5.head_1", exact=True).focus()

    for key in ("ArrowDown", "ArrowRight", "Enter", "d", "d"):
        notebook.page.keyboard.press(key)

    expect(view.get_by_role("img")).to_have_attribute(
        "aria-label", "attention_4.head_2: 6 tokens by the 6 they look at"
    )
    assert notebook.python_until("print(view.head)", "attention_4.head_2") == "attention_4.head_2"
    assert notebook.panel.locator(".jp-Cell").count() == cells


def test_a_typed_prompt_is_read_and_what_cannot_be_is_said(notebook: Notebook) -> None:
    lens = panel(notebook, 2)
    box = lens.get_by_role("textbox", name="Prompt")
    box.fill("The capital of Spain is")
    box.press("Enter")
    expect(lens.get_by_role("columnheader", name="·Spain")).to_be_visible()

    follow = lens.get_by_role("textbox", name="Token to follow")
    follow.fill(" Madrid is")
    follow.press("Enter")
    expect(lens.get_by_role("alert")).to_contain_text("tokens.")

    follow.fill(" Madrid")
    follow.press("Enter")
    expect(lens.get_by_text("·Madrid is number")).to_be_visible()
    expect(lens.get_by_role("alert")).to_be_empty()


def test_both_follow_the_recipe(notebook: Notebook) -> None:
    before = notebook.python("print(view._weights.hex()[:64])")

    notebook.python("garage.scale('layer_0', 0.2)")

    for cell in (1, 2):
        expect(panel(notebook, cell).get_by_text("1 edit in force")).to_be_visible()
    assert notebook.python("view.wait(20); print(view._weights.hex()[:64])") != before
    notebook.python("garage.undo()")
    expect(panel(notebook, 2).get_by_text("1 edit in force")).to_be_hidden()
