"""How every widget lives in a real JupyterLab: run again, shown twice, linked, typed at, and after a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Locator, expect

from .labpage import Notebook

PANELS = ["picker", "bench", "scope", "attention", "lens", "debate"]
PROMPTED = [name for name in PANELS if name != "picker"]
PROMPT = "The capital of France is"
HOSTILE = '</textarea><img src=x onerror="alert(1)"><script>alert(1)</script> $x$'
GIVEN = {"picker": "", "bench": f'"{PROMPT}" --parts layer_2', "scope": f'"{PROMPT}"'}
SETUP = """
import gc, ipywidgets, threading
from tests.restored import hooks_on
%load_ext garage_nb
garage = %garage load showroom
"""
SHOW = [f"{name} = %garage show {name} {GIVEN.get(name, repr(PROMPT))}\n{name}" for name in PANELS]
AGAIN = f"for one in ({', '.join(PANELS)}):\n    display(one)"
LINKED = """
text, slide = ipywidgets.Text(value=bench.prompt, continuous_update=False), ipywidgets.FloatSlider(value=1, max=2)
heard = []
lens.observe(lambda change: heard.append(change["new"]), "prompt")
link = ipywidgets.jslink((text, "value"), (lens, "prompt"))
ipywidgets.dlink((slide, "value"), (bench, "factors"), lambda factor: {"layer_2": factor})
ipywidgets.HBox([text, slide])
"""
CELLS = [SETUP, *SHOW, AGAIN, LINKED]
KINDS = ("LayerPicker", "TuningBench", "SparsityScope", "AttentionView", "LensView", "DebateChamber")
LIVING = (
    f"sorted(type(one).__name__ for one in gc.get_objects() if type(one).__name__ in {KINDS} and one.comm is not None)"
)
THREADS = "[one.name for one in threading.enumerate() if one.name.startswith('garage_nb')]"
SETTLED = f"[one.wait(20) for one in ({', '.join(PROMPTED)})]"
FOCUSED = "node => node === document.activeElement"
IN_NOTEBOOK = "() => !!document.activeElement.closest('.jp-Notebook') && !document.activeElement.closest('.gnb')"
OWN = "panel => panel.querySelectorAll('img, script, b').length"

Open = Callable[..., AbstractContextManager[Notebook]]


@pytest.fixture(scope="module", params=["perCommTarget", "disabled"])
def comms(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def notebook(comms: str, open_notebook: Open) -> Iterator[Notebook]:
    with open_notebook(f"life_{comms}", CELLS, comms) as notebook:
        said: list[str] = []
        notebook.page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        assert notebook.run_all() is True
        yield notebook
        assert said == []


def view(notebook: Notebook, name: str) -> Locator:
    found: Locator = notebook.cell(1 + PANELS.index(name)).locator(".gnb")
    found.scroll_into_view_if_needed()
    return found


def second(notebook: Notebook, name: str) -> Locator:
    found: Locator = notebook.cell(1 + len(PANELS)).locator(".gnb").nth(PANELS.index(name))
    return found


@pytest.mark.parametrize("name", PANELS)
def test_escape_gives_the_focus_back_to_the_notebook(notebook: Notebook, name: str) -> None:
    box = view(notebook, name).locator("input, textarea").first
    box.focus()
    assert box.evaluate(FOCUSED)

    notebook.page.keyboard.press("Escape")

    assert notebook.page.evaluate(IN_NOTEBOOK)


def test_two_views_of_one_widget_stay_in_step(notebook: Notebook) -> None:
    second(notebook, "picker").get_by_role("gridcell", name="ffn_2:").click()
    expect(view(notebook, "picker").get_by_role("gridcell", name="ffn_2:")).to_have_attribute("aria-selected", "true")

    slider = second(notebook, "bench").get_by_role("slider", name="Factor of layer_2")
    slider.fill("0.5")
    expect(view(notebook, "bench").get_by_role("slider", name="Factor of layer_2")).to_have_value("0.5")

    second(notebook, "scope").get_by_role("combobox", name="Statistic").select_option("norm")
    expect(view(notebook, "scope").get_by_role("combobox", name="Statistic")).to_have_value("norm")
    expect(view(notebook, "scope").locator(".gnb-legend")).to_contain_text("norm")

    second(notebook, "attention").get_by_role("gridcell", name="attention_2.head_1", exact=True).click()
    large = view(notebook, "attention").get_by_role("img")
    expect(large).to_have_attribute("aria-label", "attention_2.head_1: 6 tokens by the 6 they look at")

    box = second(notebook, "lens").get_by_role("textbox", name="Prompt")
    box.fill("The capital of Spain is")
    box.press("Enter")
    expect(view(notebook, "lens").get_by_role("columnheader", name="·Spain")).to_be_visible()
    expect(view(notebook, "lens").get_by_role("textbox", name="Prompt")).to_have_value("The capital of Spain is")
    notebook.python("bench.undo()")


def test_they_are_linked_with_other_widgets_in_the_page_and_in_the_kernel(notebook: Notebook) -> None:
    text = notebook.cell(2 + len(PANELS)).locator("input[type=text]").first
    text.fill("The capital of Italy is")
    text.press("Enter")
    expect(view(notebook, "lens").get_by_role("columnheader", name="·Italy")).to_be_visible()

    notebook.python("slide.value = 0.3")

    assert notebook.python_until("print(heard[-1:])", "['The capital of Italy is']") == "['The capital of Italy is']"
    expect(view(notebook, "bench").get_by_role("slider", name="Factor of layer_2")).to_have_value("0.3")
    notebook.python("slide.value = 1; link.unlink()")


@pytest.mark.parametrize("name", PROMPTED)
def test_a_hostile_prompt_is_text(notebook: Notebook, name: str) -> None:
    panel, box = view(notebook, name), view(notebook, name).get_by_role("textbox", name="Prompt")
    own = panel.evaluate(OWN)
    box.fill(HOSTILE)

    box.press("Enter")

    assert notebook.python_until(f"print({name}.prompt)", HOSTILE) == HOSTILE
    assert notebook.python(f"print({name}.wait(20), {name}._error)") == "True"
    expect(panel.locator(".gnb-running")).to_have_count(0)
    assert panel.evaluate(OWN) == own
    assert panel.locator("mjx-container").count() == 0


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_runs_without_end_leave_one_of_each_no_hook_and_no_thread(notebook: Notebook, times: int) -> None:
    """Every run loads the model anew, too."""
    for _ in range(times):
        assert notebook.run_all() is True

    assert notebook.python(f"{SETTLED}; print(*{LIVING})") == " ".join(sorted(KINDS))
    assert notebook.python(f"print(hooks_on(garage.model), {THREADS})") == "{} []"
    for name in PANELS:
        expect(second(notebook, name).locator(".gnb-body")).to_be_visible()


def test_a_restart_greys_each_at_once_and_running_again_revives_it(notebook: Notebook) -> None:
    notebook.restart()

    for name in PANELS:
        for panel in (view(notebook, name), second(notebook, name)):
            expect(panel).to_contain_text("The kernel is gone. Run this cell again.")
            expect(panel.locator(".gnb-body")).to_have_attribute("inert", "")

    assert notebook.run_all() is True
    expect(notebook.panel.locator(".gnb-gone")).to_have_count(0)
    expect(notebook.panel.locator(".gnb")).to_have_count(2 * len(PANELS))
    errors = ", ".join(f"{one}._error" for one in PANELS)
    assert notebook.python(f"{SETTLED}; print({{{errors}}})") == "{''}"
