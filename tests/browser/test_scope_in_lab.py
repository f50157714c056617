"""The scope in a real JupyterLab: it grows while a cell is busy, is paused and goes on, and leaves no hook behind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Locator, expect

from .labpage import Notebook

SETUP = """
import json, time
from garage_nb import Garage
garage = Garage("showroom")
garage.model.generation_config.eos_token_id = None
plain = garage.watch("Once upon a time", tokens=60)
def slow(hidden):
    time.sleep(0.05)
    return hidden
garage.through("layer_1", slow)
"""
SHOW = "scope = garage.show('scope')\nscope.tokens = 60\nscope"
SHAPE = "print(json.dumps(list(scope.value.shape)))"

Open = Callable[..., AbstractContextManager[Notebook]]


def panel_of(notebook: Notebook) -> Locator:
    panel: Locator = notebook.cell(1).locator(".gnb")
    panel.wait_for()
    return panel


def columns(panel: Locator) -> int:
    return int(panel.locator(".gnb-heat canvas").evaluate("canvas => canvas.width"))


def begun(panel: Locator) -> None:
    panel.get_by_role("textbox", name="Prompt").fill("Once upon a time")
    panel.get_by_role("button", name="Start").click()


def test_it_grows_while_a_cell_is_busy_is_paused_and_goes_on(open_notebook: Open) -> None:
    with open_notebook("scope", [SETUP, SHOW, "time.sleep(8)"]) as notebook:
        notebook.python(SETUP)
        notebook.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
        panel = panel_of(notebook)
        begun(panel)
        expect(panel.get_by_role("application")).to_be_visible(timeout=15_000)

        pause = panel.get_by_role("button", name="Pause")
        notebook.page.wait_for_function("() => document.querySelector('.gnb-heat canvas').width > 25")
        start = time.monotonic()
        pause.click()
        expect(panel.get_by_role("button", name="Go on")).to_be_visible()
        waited = time.monotonic() - start
        notebook.ready()
        rows, kept = json.loads(notebook.python(SHAPE))

        print(f"\npaused {waited:.2f} s after the click, a cell running beside it")
        assert (rows, kept) == (6, columns(panel))
        assert notebook.python("print(garage.verify().ok, scope.trace.text == plain.text)") == "True False"

        the_map = panel.get_by_role("application")
        cells = notebook.panel.locator(".jp-Cell").count()
        the_map.focus()
        for key in ("ArrowLeft", "d", "d", "x", "ArrowDown"):
            notebook.page.keyboard.press(key)
        expect(panel.locator(".gnb-words")).to_contain_text(f"layer_4 at {kept - 2}")
        assert notebook.panel.locator(".jp-Cell").count() == cells

        panel.get_by_role("button", name="Go on").click()
        expect(panel.get_by_text("60 of 60 tokens written")).to_be_visible(timeout=30_000)
        assert notebook.python(
            "print(scope.trace.text == plain.text, scope.value.shape[1] - scope.trace.prompted)"
        ) == ("True 60")


@pytest.mark.parametrize("comms", ["perCommTarget", pytest.param("disabled", marks=pytest.mark.slow)])
def test_the_threshold_is_moved_by_hand_and_nothing_runs(open_notebook: Open, comms: str) -> None:
    count = "calls = []\nhandle = garage.model.register_forward_pre_hook(lambda *_: calls.append(1))"
    with open_notebook(f"scope_{comms}", [SETUP.replace("0.05", "0"), SHOW], comms=comms) as notebook:
        assert notebook.run_all() is True
        panel = panel_of(notebook)
        begun(panel)
        expect(panel.get_by_text("60 of 60 tokens written")).to_be_visible(timeout=30_000)
        notebook.python(count)

        panel.get_by_role("slider").focus()
        for _ in range(12):
            notebook.page.keyboard.press("ArrowRight")

        assert notebook.python_until("print(scope.tau)", "0.6") == "0.6"
        expect(panel.locator(".gnb-legend")).to_contain_text("|x| ≤ 0.6 σ")
        assert notebook.python("print(len(calls)); handle.remove()") == "0"
        for theme in ("Dark", "Light"):
            notebook.theme(theme)
            assert notebook.picture(panel, f"scope_lab_{theme.lower()}").stat().st_size > 5_000
