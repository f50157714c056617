"""The picker in a real JupyterLab with a real kernel: focus, threads, themes and restarts.

One notebook serves all tests but the last; each runs its cells again first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from PIL import Image, ImageStat
from playwright.sync_api import Locator, expect

from garage_nb.registry.specs import ModelSpec

from .labpage import Notebook
from .labserver import Lab

SETUP = """
import gc, json, threading
from garage_nb.registry.specs import ModelSpec
from garage_nb.widgets import LayerPicker
spec = ModelSpec.from_json(json.load(open("spec.json")))
seen = []
def note(change):
    seen.append((change["new"], threading.current_thread() is threading.main_thread()))
"""
SHOW = """
picker = LayerPicker(spec)
picker.observe(note, "value")
picker
"""
ALIVE = "print(sum(type(o).__name__ == 'LayerPicker' and o.comm is not None for o in gc.get_objects()))"
FORGE = """([id, state]) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  kernel.sendShellMessage({
    header: { msg_id: 'forged', msg_type: 'comm_msg', session: kernel.clientId, version: '5.3' },
    parent_header: {}, metadata: {}, channel: 'shell',
    content: { comm_id: id, data: { method: 'update', state, buffer_paths: [] } } }) }"""

Open = Callable[..., AbstractContextManager[Notebook]]


@pytest.fixture(scope="module")
def shared(lab: Lab, spec: Callable[..., ModelSpec], open_notebook: Open) -> Iterator[Notebook]:
    (lab.root / "spec.json").write_text(json.dumps(spec(5).to_json()))
    with open_notebook("picker", [SETUP, SHOW, "1"]) as notebook:
        yield notebook


@pytest.fixture
def notebook(shared: Notebook) -> Notebook:
    assert shared.run_all() is True
    return shared


@pytest.fixture
def panel(notebook: Notebook) -> Locator:
    return panel_of(notebook)


def panel_of(notebook: Notebook) -> Locator:
    panel: Locator = notebook.cell(1).locator(".gnb")
    panel.wait_for()
    return panel


def part(panel: Locator, start: str) -> Locator:
    return panel.get_by_role("gridcell", name=re.compile(f"^{start}"))


def says(notebook: Notebook, code: str, expected: str) -> bool:
    return notebook.python_until(code, expected) == expected


def test_mouse_and_keyboard_reach_python_and_leave_the_notebook_alone(notebook: Notebook, panel: Locator) -> None:
    cells = notebook.panel.locator(".jp-Cell").count()

    part(panel, "attention_3:").click()
    part(panel, "layer_4:").click(modifiers=["Control"])
    assert says(notebook, "print(picker.value, picker.selector)", "('attention_3', 'layer_4') attention_3,layer_4")

    for key in ("ArrowDown", "Space", "Shift+ArrowDown", "d", "d", "x", "a"):
        notebook.page.keyboard.press(key)
    assert says(notebook, "print(picker.value)", "('layer_2', 'layer_3')")
    assert notebook.panel.locator(".jp-Cell").count() == cells

    notebook.page.keyboard.press("Escape")
    notebook.page.keyboard.press("b")
    expect(notebook.panel.locator(".jp-Cell")).to_have_count(cells + 1)


def test_a_search_and_a_drag_over_heads_reach_python(notebook: Notebook, panel: Locator) -> None:
    cells = notebook.panel.locator(".jp-Cell").count()
    part(panel, "ffn_2:").click()

    notebook.page.keyboard.press("/")
    notebook.page.keyboard.type("attention_3.head_*, dd")
    notebook.page.keyboard.press("Enter")
    expect(panel.get_by_role("alert")).to_contain_text("'dd' is no part of tiny.")
    assert notebook.python("print(picker.value)") == "('ffn_2',)"

    panel.get_by_role("searchbox").fill("attention_3.head_*, -1")
    notebook.page.keyboard.press("Enter")
    heads = [f"attention_3.head_{i}" for i in range(4)]
    assert says(notebook, "print(picker.selector)", ",".join([*heads, "layer_4"]))
    expect(part(panel, "attention_3:")).to_contain_text("4 heads")

    panel.get_by_role("rowheader", name="inside layer_3").click()
    part(panel, heads[0]).drag_to(part(panel, heads[2]))
    assert says(notebook, "print(picker.selector)", ",".join(heads[:3]))
    assert notebook.panel.locator(".jp-Cell").count() == cells


def test_python_sets_the_picture_and_refuses_what_the_page_may_not_do(notebook: Notebook, panel: Locator) -> None:
    notebook.python("picker.value = '0, ffn_*'; picker.changed = 'ffn_2'")
    expect(panel.get_by_text("6 picked")).to_be_visible()
    expect(part(panel, "ffn_2: 32 wide, 128 inside, changed")).to_have_attribute("aria-selected", "true")

    forged = {"_esm": "export default {}", "value": ["layer_99"]}
    notebook.page.evaluate(FORGE, [notebook.python("print(picker.model_id)"), forged])

    expect(panel.locator(".gnb-error")).to_contain_text("'layer_99' is no part of tiny.")
    assert notebook.python("print(picker.selector)") == "ffn_0,layer_0,ffn_1,ffn_2,ffn_3,ffn_4"
    assert notebook.python("print('render' in picker._esm)") == "True"


def test_it_follows_the_theme_and_its_pictures_are_kept(notebook: Notebook, panel: Locator) -> None:
    notebook.python("picker.value = 'attention_3, layer_4'; picker.changed = 'ffn_1'")
    brightness: dict[str, Any] = {}

    for theme in ("Dark", "Light"):
        notebook.theme(theme)
        with Image.open(notebook.picture(panel, f"picker_{theme.lower()}")) as image:
            brightness[theme] = ImageStat.Stat(image.convert("L")).mean[0]

    assert brightness["Light"] > 200
    assert brightness["Dark"] < 80


def test_running_a_cell_again_leaves_one_live_picker(notebook: Notebook, panel: Locator) -> None:
    for _ in range(3):
        assert notebook.run_all() is True

    expect(panel).to_have_count(1)
    assert notebook.python(ALIVE) == "1"


def test_a_restart_is_told_and_running_the_cells_again_brings_it_back(notebook: Notebook, panel: Locator) -> None:
    notebook.restart()
    expect(panel.get_by_text("The kernel is gone. Run this cell again.")).to_be_visible()

    assert notebook.run_all() is True

    expect(notebook.cell(1).get_by_text("The kernel is gone.")).to_have_count(0)
    part(panel_of(notebook), "ffn_0:").click()
    assert says(notebook, "print(picker.value)", "('ffn_0',)")


def test_it_works_where_callbacks_run_on_the_main_thread(shared: Notebook, open_notebook: Open) -> None:
    with open_notebook("picker_on_main_thread", [SETUP, SHOW], comms="disabled") as notebook:
        assert notebook.run_all() is True
        panel = panel_of(notebook)

        part(panel, "layer_1:").click()
        part(panel, "layer_3:").click(modifiers=["Shift"])

        assert says(notebook, "print(seen[-1])", "(('layer_1', 'layer_2', 'layer_3'), True)")
        expect(panel.get_by_text("3 picked")).to_be_visible()
