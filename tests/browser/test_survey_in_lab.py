"""The survey in a real JupyterLab: here, stopped and gone on with, and on processes of its own, to the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from playwright.sync_api import Locator, expect

from .labpage import Notebook
from .test_every_widget_in_lab import FAINT, UNSAFE

SETUP = """
import multiprocessing, threading
%load_ext garage_nb
from garage_nb import Garage
garage = %garage load showroom
other, passes, let_go = Garage("showroom"), [], threading.Event()
texts = [" red" * (1 + number) for number in range(30)] + [""] * 20

def hold(*_):
    passes.append(1)
    if len(passes) > 3:
        let_go.wait(60)

garage.model.register_forward_pre_hook(hold)
"""
HERE = "here = %garage survey @texts --on here --batch 4 --live\nhere"
POOL = "pool = other.survey(texts, on='pool:2', batch=4, live=True)\npool"
DONE = "30 texts, 1,890 tokens of list"
THREADS = "[one.name for one in threading.enumerate() if one.name.startswith('garage_nb')]"

Open = Callable[..., AbstractContextManager[Notebook]]


def test_it_is_stopped_and_gone_on_with_here_and_ends_the_same_on_a_pool(open_notebook: Open) -> None:
    with open_notebook("survey", [SETUP, HERE, POOL]) as notebook:
        assert notebook.run_all() is True
        here, pool = (notebook.cell(place).locator(".gnb") for place in (1, 2))
        expect(here.locator(".gnb-progress")).to_contain_text("of 50 texts")
        expect(here.get_by_role("progressbar")).to_be_visible()
        assert notebook.python("print(here._running, here.survey.whole, len(here.survey.frame()))") == "True False 12"
        assert notebook.python("print(other.generate('Alice has', tokens=1).prompt)") == "Alice has"

        here.get_by_role("button", name="Stop the run under way").click()
        expect(here.locator(".gnb-progress")).to_have_text("Stopping.")
        notebook.python("let_go.set()")
        expect(here.locator(".gnb-progress")).to_contain_text("Stopped after")
        here.get_by_role("button", name="Go on from what is in the ledger").click()

        expect(here).to_contain_text(DONE)
        expect(pool).to_contain_text(DONE, timeout=90_000)
        assert notebook.python("print(here.survey.digest == pool.survey.digest)") == "True"
        assert notebook.python_until(f"print(multiprocessing.active_children(), {THREADS})", "[] []") == "[] []"
        can_be_read(notebook, here)


def can_be_read(notebook: Notebook, panel: Locator) -> None:
    panel.get_by_text("20 texts set aside").click()
    assert panel.evaluate(UNSAFE) == []
    for theme in ("Dark", "Light"):
        notebook.theme(theme)
        panel.scroll_into_view_if_needed()
        notebook.picture(panel, f"survey_lab_{theme.lower()}")
        assert panel.evaluate(FAINT) == []
