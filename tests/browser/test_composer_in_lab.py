"""The composer in a real JupyterLab with a real kernel: a hybrid by drag and one by keyboard, and a drop refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Locator, expect

from .labpage import Notebook
from .pickerpage import spot

SETUP = """
import torch
%load_ext garage_nb
from garage_nb.core.fingerprint import Fingerprint
from transformers import AutoModelForCausalLM
garage = %garage load showroom-llama
bare = Fingerprint.of(garage.model)
%garage donor b showroom-llama-seed1
%garage swap ffn_4 b[ffn_0]
"""
SHOW = """
composer = %garage show composer
composer.add("g", "showroom-gpt2")
composer
"""
LOADS = """
again = AutoModelForCausalLM.from_pretrained("{0}")
ids = garage.tokenizer("The capital of France is", return_tensors="pt").input_ids
with torch.no_grad():
    print(torch.equal(again(ids).logits, composer.value.model(ids).logits))
"""
FOCUSED = "document.activeElement.getAttribute('aria-label')"

Open = Callable[..., AbstractContextManager[Notebook]]


@pytest.fixture(scope="module")
def shared(open_notebook: Open) -> Iterator[Notebook]:
    with open_notebook("composer", [SETUP, SHOW]) as notebook:
        assert notebook.run_all() is True
        yield notebook


@pytest.fixture
def notebook(shared: Notebook) -> Notebook:
    """With nothing grafted."""
    shared.python("composer.sheet = {**composer.sheet, 'grafts': []}; composer.wait(20)")
    expect(panel(shared)).to_contain_text("No grafts yet")
    panel(shared).scroll_into_view_if_needed()
    return shared


def panel(notebook: Notebook) -> Locator:
    found: Locator = notebook.cell(1).locator(".gnb-composer")
    return found


def cell(notebook: Notebook, column: int, name: str) -> Locator:
    return panel(notebook).locator(".gnb-c-column").nth(column).locator(f'.gnb-c-cell[aria-label^="{name}:"]')


def drag(notebook: Notebook, start: Locator, end: Locator, until: Callable[[], None]) -> None:
    """Over the place it waits `until` something is shown, as a hand does, and is let go."""
    mouse = notebook.page.mouse
    start.scroll_into_view_if_needed()
    x, y = spot(start)
    mouse.move(x, y)
    mouse.down()
    mouse.move(x - 20, y + 2)
    mouse.move(*spot(end), steps=5)
    until()
    mouse.move(*spot(end))
    mouse.up()


def test_it_begins_with_the_sheet_in_the_works(shared: Notebook) -> None:
    assert shared.run_all() is True
    view = panel(shared)

    expect(view.get_by_role("grid", name="Donor b, showroom-llama-seed1")).to_be_visible()
    expect(view.locator(".gnb-c-chip")).to_contain_text("swap ffn_4 b[ffn_0]")
    expect(view.locator(".gnb-c-whole")).to_have_text("It can be built.")
    expect(view.locator(".gnb-c-changed")).to_have_count(1)


def test_an_attention_is_dragged_built_proved_saved_and_loads(notebook: Notebook) -> None:
    view, place = panel(notebook), cell(notebook, 0, "attention_1")
    drag(
        notebook,
        cell(notebook, 1, "attention_2"),
        place,
        lambda: expect(place.locator(".gnb-c-tag")).to_have_text("fits"),
    )
    expect(view.locator(".gnb-c-chip")).to_contain_text("swap attention_1 b[attention_2]")
    expect(view.locator(".gnb-c-whole")).to_have_text("It can be built.")
    expect(view.locator(".gnb-c-changed")).to_have_count(1)

    view.get_by_role("button", name="Build the sheet").click()
    proofs = view.get_by_role("listitem")
    expect(proofs.first).to_contain_text("finite", timeout=30_000)
    assert all(text.startswith("✓") for text in proofs.all_inner_texts())

    view.get_by_role("textbox", name="Folder to save it to").fill("dragged")
    view.get_by_role("button", name="Save it as").click()
    expect(view).to_contain_text("Saved to dragged", timeout=30_000)
    assert notebook.python(LOADS.format("dragged")).endswith("True")
    assert notebook.python("print(bare.differences(Fingerprint.of(garage.model)))") == "{}"


def tab_to(notebook: Notebook, label: str, *, key: str = "Tab") -> None:
    """By keyboard, to the control whose name begins so."""
    for _ in range(40):
        if (notebook.page.evaluate(FOCUSED) or "").startswith(label):
            return
        notebook.page.keyboard.press(key)
    raise AssertionError(f"no Tab reaches {label!r}")


def test_the_same_by_keyboard_alone(notebook: Notebook) -> None:
    """Picked up, carried, dropped, taken back, brought back, built, judged and saved."""
    press, page, cells = notebook.page.keyboard.press, notebook.page, notebook.panel.locator(".jp-Cell").count()
    cell(notebook, 0, "layer_norm_final").focus()
    press("Home")
    for _ in range(30):
        if page.evaluate(FOCUSED).startswith("attention_3:"):
            break
        press("ArrowDown")
        press("ArrowLeft")
    assert page.evaluate(FOCUSED).startswith("attention_3:")
    for _ in range(3):
        press("ArrowRight")
    press("Enter")
    page.wait_for_function(f"{FOCUSED} === 'attention_3: fits'")
    press("ArrowDown")
    press("Enter")
    page.wait_for_function(f"{FOCUSED}?.endsWith('now attention_3 of b')")
    press("d")
    press("d")
    assert page.evaluate(FOCUSED).startswith("attention_2:")

    view = panel(notebook)
    tab_to(notebook, "Take the last change back")
    press("Enter")
    expect(view).to_contain_text("No grafts yet")
    tab_to(notebook, "Bring back what undo took away")
    press("Enter")
    expect(view.locator(".gnb-c-chip")).to_contain_text("swap attention_2 b[attention_3]")

    expect(view.get_by_role("button", name="Build the sheet")).to_be_enabled()
    tab_to(notebook, "Build the sheet")
    press("Enter")
    expect(view.get_by_role("listitem").first).to_contain_text("finite", timeout=30_000)
    tab_to(notebook, "Judge on")
    page.keyboard.type("The capital of France is Paris.")
    tab_to(notebook, "Hold it against", key="Shift+Tab")
    press("Enter")
    expect(view.get_by_role("region", name="How it was judged")).to_contain_text("perplexity", timeout=60_000)
    tab_to(notebook, "Folder to save it to")
    press("Control+a")
    page.keyboard.type("typed")
    tab_to(notebook, "Save it as")
    press("Enter")

    expect(view).to_contain_text("Saved to typed", timeout=30_000)
    assert notebook.python(LOADS.format("typed")).endswith("True")
    assert notebook.python("print(*composer.worktop.grafts)") == "swap attention_2 b[attention_3]"
    assert notebook.panel.locator(".jp-Cell").count() == cells


def test_a_donor_is_taken_off_by_keyboard_but_not_while_it_is_needed(notebook: Notebook) -> None:
    away = panel(notebook).get_by_role("button", name="Take donor g off the bench")
    away.focus()
    notebook.page.keyboard.press("Enter")
    expect(away).to_have_count(0)
    assert notebook.page.evaluate(FOCUSED) == "Take donor b off the bench"

    notebook.python("composer.place('b', 'ffn_1', 'ffn_1'); composer.wait(9); composer.add('g', 'showroom-gpt2')")
    expect(panel(notebook).locator(".gnb-c-chip")).to_contain_text("swap ffn_1 b[ffn_1]")
    panel(notebook).get_by_role("button", name="Take donor b off the bench").press("Enter")
    expect(panel(notebook).get_by_role("alert")).to_contain_text("b is still needed: swap ffn_1 b[ffn_1].")
    assert notebook.python("print(*composer.donors)") == "b g"


def test_a_refused_drop_names_both_sides_and_leaves_the_sheet(notebook: Notebook) -> None:
    place = cell(notebook, 0, "attention_1")
    drag(
        notebook,
        cell(notebook, 2, "attention_2"),
        place,
        lambda: expect(place.locator(".gnb-c-tag")).to_have_text("no"),
    )

    alert = panel(notebook).get_by_role("alert")
    expect(alert).to_contain_text("attention_2 of g does not fit in the place of attention_1 of showroom-llama")
    expect(panel(notebook)).to_contain_text("No grafts yet")
    assert notebook.python("print(composer.worktop.grafts, composer.value)") == "() None"


@pytest.mark.slow
def test_a_donor_is_brought_by_its_name(notebook: Notebook) -> None:
    box = panel(notebook).get_by_role("combobox", name="Donor")
    box.fill("showroom-nothing")
    box.press("Enter")
    expect(panel(notebook).get_by_role("alert")).to_contain_text("There is no model 'showroom-nothing' here.")

    box.fill("showroom-llama-sorting")
    box.press("Enter")

    expect(panel(notebook).get_by_role("grid", name="Donor c, showroom-llama-sorting")).to_be_visible(timeout=30_000)
    assert notebook.python("print(composer.donors['c'])") == "showroom-llama-sorting"


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_how_it_looks(notebook: Notebook, theme: str) -> None:
    notebook.theme(theme)
    notebook.python(
        "composer.place('b', 'attention_2', 'attention_1'); composer.wait(9);"
        "composer.place('b', 'layer_3', 'gap_2'); composer.wait(9); composer.make(); composer.wait(20)"
    )
    expect(panel(notebook).get_by_role("listitem").first).to_contain_text("finite", timeout=30_000)
    cell(notebook, 1, "layer_1").click()
    expect(panel(notebook).locator(".gnb-c-gap").first).to_be_visible()

    notebook.picture(panel(notebook), f"composer-lab-{theme.lower()}")
    notebook.page.keyboard.press("Escape")
    expect(panel(notebook).locator(".gnb-c-gap").first).to_be_hidden()
