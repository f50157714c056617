"""The survey's own module in a blank page: bars that change under the eye, its line and buttons, themes, long names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from garage_nb.garage import Garage
from garage_nb.widgets import SurveyView

from .labpage import Alone

TEXTS = ["The capital of France is Paris .", "Alice has a red ball .", "Bob has a blue ball ."] * 8
HOSTILE = '<img src=x onerror="document.body.id=1">'
UNDER_WAY: dict[str, Any] = {"_running": True, "_share": 0.34, "_progress": "8 of 24 texts, 310 a second, 2 s left"}
STOPPED: dict[str, Any] = {"_left": True, "_share": 0.34, "_progress": "Stopped after 8 of 24 texts."}
FULL = "The ledger cannot be written, No space left on device: /data/ledger/0.part\nWhat is in it is kept."
LONG = {"statistics": ["norm"], "parts": [f"encoder_layer_{i}_attention.neurons" for i in range(200)], "over": {}}
SCROLLED = "node => node.scrollTop > 0"
ZERO = "nodes => nodes.map(node => [node.style.marginLeft, node.style.width])"


@pytest.fixture(scope="module")
def view() -> SurveyView:
    garage = Garage("showroom")
    view: SurveyView = garage.survey([*TEXTS, ""], stats="norm,sparsity", sweep="ffn_*", on="here", live=True)
    assert view.wait(60)
    return view


def state(statistics: dict[str, list[float]], **more: Any) -> dict[str, Any]:
    parts = [f"layer_{i}" for i in range(len(next(iter(statistics.values()))))]
    shown = {"statistics": list(statistics), "parts": parts, "over": {name: f"mean {name}" for name in statistics}}
    return {"_shown": shown, "_values": np.array(list(statistics.values())).tobytes(), **more}


def change(alone: Alone, **state: Any) -> None:
    """In one message, as the kernel does."""
    alone.page.evaluate("state => Object.entries(state).forEach(([name, value]) => T.model.set(name, value))", state)


def test_it_reads_as_a_list_of_parts_the_output_on_top(alone: Alone, view: SurveyView) -> None:
    panel = alone.show(
        view, **state({"norm": [1.0, 2.0, 4.0], "entropy": [-12_345.6, float("nan"), 1e-5]}), **UNDER_WAY
    )

    expect(panel.get_by_role("list", name="norm: mean norm")).to_match_aria_snapshot("""
      - 'list "norm: mean norm"':
        - 'listitem "layer_2: 4.000"'
        - 'listitem "layer_1: 2.000"'
        - 'listitem "layer_0: 1.000"'
    """)
    line = panel.get_by_role("progressbar", name="Texts done")
    expect(line).to_have_attribute("aria-valuenow", "34")
    expect(line).to_have_attribute("aria-valuetext", UNDER_WAY["_progress"])

    panel.get_by_role("combobox", name="Statistic").select_option("entropy")
    expect(panel.get_by_role("listitem")).to_have_text(["layer_21.00e-5", "layer_0-12346"])


def test_bars_grow_and_what_was_chosen_stays(alone: Alone, view: SurveyView) -> None:
    panel = alone.show(view, **state({"norm": [1.0, 2.0], "entropy": [1.0, 3.0]}), **UNDER_WAY)
    which = panel.get_by_role("combobox", name="Statistic")
    which.select_option("entropy")
    which.focus()
    widths = panel.locator(".gnb-fill").evaluate_all(ZERO)

    change(alone, _shown=state({"norm": [1.0], "entropy": [1.0], "loss": [2.0]})["_shown"])

    assert widths == [["0%", "100%"], ["0%", "33.3333%"]]
    expect(which).to_have_value("entropy")
    expect(which).to_be_focused()
    expect(panel.get_by_role("listitem")).to_have_count(1)


def test_a_change_goes_to_either_side_of_zero(alone: Alone, view: SurveyView) -> None:
    panel = alone.show(view, **state({"change of loss": [3.0, -1.0, 0.0]}))

    assert panel.locator(".gnb-fill").evaluate_all(ZERO) == [["25%", "0%"], ["0%", "25%"], ["25%", "75%"]]


def test_cancel_and_go_on_hand_the_focus_to_each_other(alone: Alone, view: SurveyView) -> None:
    panel = alone.show(view, **UNDER_WAY)
    cancel, onward = (panel.get_by_role("button", name=name) for name in ("Stop the run under way", "Go on from"))
    expect(onward).to_be_hidden()
    cancel.focus()
    alone.page.keyboard.press("Enter")

    change(alone, _running=False, **STOPPED)

    expect(onward).to_be_focused()
    expect(cancel).to_be_hidden()
    alone.page.keyboard.press("Enter")
    change(alone, _left=False, _running=True)
    expect(cancel).to_be_focused()
    assert [message for message in alone.get("sent") if message["kind"] != "ping"] == [
        {"kind": "stop"}, {"kind": "resume"},
    ]  # fmt: skip


def test_the_line_is_there_only_where_it_says_something(alone: Alone, view: SurveyView) -> None:
    panel = alone.show(view, **{**UNDER_WAY, "_share": -1.0})
    line, words = panel.locator("[role=progressbar]"), panel.locator(".gnb-engine")

    expect(line).to_be_hidden()
    change(alone, _share=0.5)
    expect(line).to_be_visible()
    expect(words).to_be_visible()
    change(alone, _share=1.0, _running=False, _progress="")
    expect(line).to_be_hidden()
    expect(words).to_be_hidden()


def test_texts_set_aside_are_opened_by_keyboard(alone: Alone, view: SurveyView) -> None:
    panel = alone.show(view, _aside=[f"line {i}: {HOSTILE}" for i in range(20)], _left_out=1234)
    head = panel.get_by_text("1,234 texts set aside")
    expect(head).to_have_attribute("data-lm-suppress-shortcuts", "true")

    head.focus()
    alone.page.keyboard.press("Enter")

    expect(panel.get_by_text("line 19: <img")).to_be_attached()
    expect(panel.get_by_text("and 1,214 more, in .survey.aside")).to_be_attached()


def test_many_parts_are_scrolled_by_keyboard(alone: Alone, view: SurveyView) -> None:
    panel = alone.show(view, _shown=LONG, _values=np.arange(200.0).tobytes())
    parts = panel.get_by_role("list")

    parts.focus()
    alone.page.keyboard.press("PageDown")

    alone.page.wait_for_function(SCROLLED, arg=parts.element_handle())
    expect(parts).to_have_attribute("data-lm-suppress-shortcuts", "true")
    assert panel.bounding_box()["height"] < 640


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "Numbers stand here as soon as there are some."), (1.0, "Nothing of it could be counted.")],
)
def test_nothing_counted_is_said(alone: Alone, view: SurveyView, share: float, words: str) -> None:
    panel = alone.show(view, _shown={}, _values=b"", _share=share)

    expect(panel.get_by_text(words)).to_be_visible()
    expect(panel.get_by_role("combobox")).to_be_hidden()


def test_hostile_words_make_no_nodes(alone: Alone, view: SurveyView) -> None:
    shown = {"statistics": [HOSTILE], "parts": [HOSTILE], "over": {HOSTILE: HOSTILE}}
    words: dict[str, Any] = dict.fromkeys(["_title", "_corpus", "_about", "_progress", "_error"], HOSTILE)

    panel = alone.show(view, _shown=shown, _values=np.ones(1).tobytes(), _aside=[HOSTILE], _left_out=1, **words)

    panel.get_by_role("listitem").first.wait_for()
    assert panel.locator("img").count() == 0
    assert alone.page.evaluate("document.body.id") == ""


PICTURES: dict[str, dict[str, Any]] = {"done": {}, "running": UNDER_WAY, "stopped": {**STOPPED, "_error": FULL}}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("how", PICTURES)
def test_pictures(alone: Alone, view: SurveyView, how: str, theme: str) -> None:
    panel = alone.show(view, width=700, **PICTURES[how])
    if theme == "dark":
        alone.dark()
    panel.get_by_text("1 text set aside").click()

    expect(panel.get_by_text("text 24: it is empty")).to_be_visible()
    assert alone.picture(panel, f"survey_{how}_{theme}").stat().st_size > 5_000
