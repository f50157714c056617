"""The dashboard in a real JupyterLab: three panels on one model, in step, and the pictures that the README shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Locator, expect

from .labpage import Notebook

PARTS = "layer_2,attention_0.head_2"
CELLS = [
    "%load_ext garage_nb\ngarage = %garage load showroom",
    f'board = %garage show dashboard "The capital of France is" --parts {PARTS}\nboard',
]
SIZE = {"width": 1640, "height": 1060}

Open = Callable[..., AbstractContextManager[Notebook]]


@pytest.fixture(scope="module")
def notebook(open_notebook: Open) -> Iterator[Notebook]:
    with open_notebook("dashboard", CELLS) as notebook:
        notebook.page.set_viewport_size(SIZE)
        notebook.command("application:toggle-left-area")
        assert notebook.run_all() is True
        yield notebook


def panel(notebook: Notebook, kind: str) -> Locator:
    return notebook.cell(1).locator(f".gnb-{kind}")


def test_the_panels_stand_side_by_side(notebook: Notebook) -> None:
    boxes = [panel(notebook, kind).bounding_box() for kind in ("picker", "tuning", "scope")]

    lefts = [box["x"] for box in boxes if box]
    assert lefts == sorted(lefts)
    assert len({round(box["y"]) for box in boxes if box}) == 1


def test_what_is_picked_has_a_fader_and_what_loses_it_is_not_picked(notebook: Notebook) -> None:
    panel(notebook, "picker").get_by_role("gridcell", name="ffn_4").click(modifiers=["Control"])
    fader = panel(notebook, "tuning").get_by_role("slider", name="Factor of ffn_4")
    expect(fader).to_be_visible()

    panel(notebook, "tuning").get_by_role("button", name="Remove the fader of ffn_4").click()

    expect(fader).to_have_count(0)
    expect(panel(notebook, "picker").get_by_role("gridcell", name="ffn_4")).to_have_attribute("aria-selected", "false")
    assert notebook.python("print(board.picker.value == board.bench.parts)") == "True"


def test_one_prompt_serves_both(notebook: Notebook) -> None:
    prompt = panel(notebook, "tuning").get_by_role("textbox", name="Prompt")
    prompt.fill("The capital of Spain is")
    prompt.press("Enter")

    expect(panel(notebook, "tuning")).to_contain_text("Madrid")
    expect(panel(notebook, "scope").locator(".gnb-places, .gnb-place").filter(has_text="Spain").first).to_be_visible()
    prompt.fill("The capital of France is")
    prompt.press("Enter")
    expect(panel(notebook, "tuning")).to_contain_text("Paris")


def test_a_recipe_put_in_force_shows_everywhere(notebook: Notebook) -> None:
    number = panel(notebook, "tuning").get_by_role("textbox", name="Factor of attention_0.head_2, typed")
    number.fill("0")
    number.press("Enter")
    expect(panel(notebook, "tuning")).to_contain_text("The likeliest goes from ' Paris' to ' Samoa'")
    assert notebook.python("print(len(garage.edits))") == "0"

    panel(notebook, "tuning").get_by_role("button", name="From now on every verb").click()

    expect(panel(notebook, "picker")).to_contain_text("1 changed")
    expect(panel(notebook, "scope")).to_contain_text("1 edit in force")
    notebook.python("board.bench.wait(); board.scope.wait()")
    for theme in ("Light", "Dark"):
        notebook.theme(theme)
        notebook.page.mouse.move(0, 0)
        notebook.picture(notebook.cell(1).locator(".jp-OutputArea-output").first, f"dashboard_{theme.lower()}")
    notebook.theme("Light")
    panel(notebook, "tuning").get_by_role("button", name="Take the last change back").click()
    notebook.python("garage.undo()")
