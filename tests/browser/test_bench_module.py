"""The tuning bench's own module in Chromium, without Jupyter: hand, keyboard, words and looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from garage_nb import Garage
from garage_nb.widgets import TuningBench

from ..hostile import TEXTS
from .labpage import Alone

PROMPT = "The capital of France is"


@pytest.fixture(scope="module")
def bench() -> Iterator[TuningBench]:
    garage = Garage("showroom")
    bench = TuningBench(garage, PROMPT, "layer_2,attention_3.head_1", tokens=6)
    bench.factors = {"layer_2": 0.2}
    assert bench.wait(60)
    yield bench
    bench.close()


@pytest.fixture
def panel(alone: Alone, bench: TuningBench) -> Locator:
    return alone.show(bench)


def slider(panel: Locator, part: str = "layer_2") -> Locator:
    return panel.get_by_role("slider", name=f"Factor of {part}")


def saved(alone: Alone, name: str) -> list[Any]:
    return [state[name] for state in alone.get("saved") if name in state]


def test_every_part_of_it_has_a_name(panel: Locator) -> None:
    expect(panel).to_match_aria_snapshot("""
      - region "Tuning bench of showroom":
        - textbox "Prompt": The capital of France is
        - textbox "How many tokens to go on; 0 for none": "6"
        - group "layer_2":
          - 'button "Bypass layer_2: leave it as the model has it"'
          - 'button "Solo layer_2: leave everything else as the model has it"'
          - slider "Factor of layer_2"
          - textbox "Factor of layer_2, typed": "0.2"
          - button "Remove the fader of layer_2; its edit stays"
        - group "attention_3.head_1"
        - button "Take the last change back"
        - button "Bring back what undo took away" [disabled]
        - table:
          - row "next token untouched tuned"
        - status: /The likeliest goes from ' Paris' to .*; KL \\d.* nats\\./
    """)


def test_a_move_of_the_slider_is_sent_with_its_gesture(alone: Alone, panel: Locator) -> None:
    slider(panel).evaluate(
        """node => { for (const value of [0.5, 0.4]) {
          node.value = value; node.dispatchEvent(new Event('input')); }
          node.dispatchEvent(new Event('pointerup')); }"""
    )

    moves = saved(alone, "_move")
    assert [move[1]["layer_2"] for move in moves] == [0.5, 0.4]
    assert len({move[0] for move in moves}) == 1


def test_two_sliders_moved_one_after_the_other_both_arrive(alone: Alone, panel: Locator) -> None:
    """The second message may overtake the first: each says where all of them stand."""
    for part, value in (("layer_2", 0.5), ("attention_3.head_1", 0.0)):
        slider(panel, part).evaluate(f"node => {{ node.value = {value}; node.dispatchEvent(new Event('input')); }}")

    assert saved(alone, "_move")[-1][1] == {"layer_2": 0.5, "attention_3.head_1": 0}


def test_arrows_move_it_and_a_typed_number_may_be_beyond_it(alone: Alone, panel: Locator) -> None:
    slider(panel).focus()
    alone.page.keyboard.press("ArrowRight")
    assert saved(alone, "_move")[-1][1]["layer_2"] == pytest.approx(0.21)

    number = panel.get_by_role("textbox", name="Factor of layer_2, typed")
    number.fill("-3.5")
    number.press("Enter")
    assert saved(alone, "_move")[-1][1]["layer_2"] == -3.5


@pytest.mark.parametrize("text", ["", "abc", "NaN", "1e999", "0x"])
def test_what_is_no_number_is_not_sent_and_the_old_one_comes_back(alone: Alone, panel: Locator, text: str) -> None:
    number = panel.get_by_role("textbox", name="Factor of layer_2, typed")
    number.fill(text)
    number.press("Enter")

    assert saved(alone, "_move") == []
    expect(number).to_have_value("0.2")


def test_a_logarithmic_slider_stands_where_the_factor_is(alone: Alone, panel: Locator) -> None:
    panel.get_by_role("combobox").select_option("log")

    assert float(slider(panel).input_value()) == pytest.approx(-2.3, abs=0.03)  # log2 0.2
    slider(panel).evaluate("node => { node.value = 3; node.dispatchEvent(new Event('input')); }")
    assert saved(alone, "_move")[-1][1]["layer_2"] == 8


def test_bypass_and_solo_are_pressed_and_sent(alone: Alone, panel: Locator) -> None:
    panel.get_by_role("button", name="Bypass layer_2").click()
    panel.get_by_role("button", name="Solo attention_3.head_1").click()

    assert saved(alone, "bypassed") == [["layer_2"]]
    assert saved(alone, "soloed") == [["attention_3.head_1"]]
    expect(panel.get_by_role("button", name="Bypass layer_2")).to_have_attribute("aria-pressed", "true")


def test_buttons_ask_the_kernel(alone: Alone, panel: Locator) -> None:
    for name in ("Take the last change back", "Take every edit back", "Take out: scale layer_2 0.2"):
        panel.get_by_role("button", name=name).click()
    panel.get_by_role("button", name="From now on every verb of the garage runs with this recipe").click()
    panel.get_by_role("button", name="Save the recipe beside the notebook").click()
    add = panel.get_by_role("textbox", name="Add faders")
    add.fill("attention_*")
    add.press("Enter")

    assert [one for one in alone.get("sent") if one["kind"] != "ping"] == [
        {"kind": "undo"},
        {"kind": "reset"},
        {"kind": "drop", "edit": 0},
        {"kind": "apply"},
        {"kind": "keep", "file": "tuned.json"},
        {"kind": "add", "selector": "attention_*"},
    ]


def test_the_code_is_copied(alone: Alone, panel: Locator) -> None:
    alone.page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', { value: { writeText: async text => { T.copied = text; } } })"
    )
    panel.get_by_role("button", name="Copy as Python").click()

    expect(panel.get_by_role("button", name="Copy as Python")).to_have_text("Copied")
    assert alone.get("copied") == 'garage.scale("layer_2", 0.2)'


def test_what_only_one_text_says_is_marked(alone: Alone, bench: TuningBench) -> None:
    texts = [
        {"name": "untouched", "tokens": [" Paris", "."], "probabilities": [0.9, 1.0], "differs": [True, False]},
        {"name": "tuned", "tokens": [" Rome", "."], "probabilities": [0.5, 0.00001], "differs": [True, False]},
    ]
    panel = alone.show(bench, _texts=texts)

    assert panel.locator("mark").all_inner_texts() == [" Paris", " Rome"]
    assert panel.locator(".gnb-piece").last.get_attribute("title") == "probability <.0001"


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_hostile_text_makes_no_nodes(alone: Alone, bench: TuningBench, text: str) -> None:
    plain = alone.show(bench).locator("*").count()
    state = bench.get_state()
    numbers = {**state["_next"], "tokens": [text] * len(state["_next"]["tokens"]), "likeliest": [text, text]}
    texts = [{**line, "tokens": [text] * len(line["tokens"])} for line in state["_texts"]]
    edits = {**state["_edits"], "edits": [{"said": text, "heard": True}], "magic": text}

    panel = alone.show(bench, _next=numbers, _texts=texts, _edits=edits, prompt=text, _title=text)

    assert panel.locator("*").count() <= plain + 4 * len(numbers["tokens"])  # names in two halves
    assert panel.locator("script, img, svg, iframe, a, b, i, style").count() == 0


def test_nothing_asked_says_what_to_do(alone: Alone) -> None:
    garage = Garage("showroom")
    empty = TuningBench(garage)
    panel = alone.show(empty)

    expect(panel).to_contain_text("No faders yet.")
    expect(panel).to_contain_text("Write a prompt to see the next token.")
    expect(panel).to_contain_text("Nothing is changed.")
    empty.close()


def test_a_run_under_way_has_a_button_that_stops_it(alone: Alone, bench: TuningBench) -> None:
    panel = alone.show(bench, _running=True, _progress="continuing")
    cancel = panel.get_by_role("button", name="Stop the run under way")

    expect(cancel).to_be_visible()
    cancel.click()
    alone.page.evaluate("T.model.set('_running', false)")

    assert {"kind": "stop"} in alone.get("sent")
    expect(cancel).to_be_hidden()


@pytest.mark.parametrize("width", [340, 700])
def test_no_text_is_cut_and_nothing_overlaps(alone: Alone, bench: TuningBench, width: int) -> None:
    panel = alone.show(bench, width=width)

    assert panel.evaluate("node => node.scrollWidth <= node.clientWidth")
    cut = "node => [...node.querySelectorAll('button')].filter(one => one.scrollWidth > one.clientWidth + 1).length"
    assert panel.evaluate(cut) == 0
    alone.picture(panel, f"bench-{width}")


SLIDE = "(node, factor) => { node.value = factor; node.dispatchEvent(new Event('input')); }"
LEAVE = "node => node.dispatchEvent(new Event('pointerup'))"
STANDS = "([factor, rest]) => T.model.set('factors', { 'layer_2': factor, 'attention_3.head_1': rest })"


def take(alone: Alone) -> None:
    """What the kernel says once it has taken the last move."""
    alone.page.evaluate("T.model.set('_taken', T.model.get('_move'))")


def test_a_move_taken_back_is_not_sent_again_with_the_next_one(alone: Alone, panel: Locator) -> None:
    slider(panel).evaluate(SLIDE, 0.5)
    take(alone)
    alone.page.evaluate(STANDS, [1, 1])  # undo

    slider(panel, "attention_3.head_1").evaluate(SLIDE, 0)

    assert saved(alone, "_move")[-1][1] == {"attention_3.head_1": 0}


def test_a_slider_stays_where_it_was_left_until_the_kernel_has_come_after(alone: Alone, panel: Locator) -> None:
    """What the kernel shows meanwhile is of an earlier move. In the end the kernel's word stands."""
    slider(panel).evaluate(SLIDE, 0.5)
    slider(panel).evaluate(LEAVE)

    alone.page.evaluate(STANDS, [0.9, 1])
    expect(slider(panel)).to_have_value("0.5")
    take(alone)
    expect(slider(panel)).to_have_value("0.9")


def test_a_move_that_is_refused_takes_the_slider_back(alone: Alone, panel: Locator) -> None:
    for factor in (0.5, 0.6):
        slider(panel).evaluate(SLIDE, factor)
        slider(panel).evaluate(LEAVE)
        alone.page.evaluate("T.model.set('_move', [0, {}])")
        expect(slider(panel)).to_have_value("0.2")

    slider(panel, "attention_3.head_1").evaluate(SLIDE, 0)
    assert saved(alone, "_move")[-1][1] == {"attention_3.head_1": 0}


def test_two_moves_in_one_message_are_both_taken(alone: Alone, panel: Locator) -> None:
    for part, factor in (("layer_2", 0.5), ("attention_3.head_1", 0)):
        slider(panel, part).evaluate(SLIDE, factor)
        slider(panel, part).evaluate(LEAVE)
    take(alone)

    alone.page.evaluate(STANDS, [0.7, 0.8])

    expect(slider(panel)).to_have_value("0.7")
    expect(slider(panel, "attention_3.head_1")).to_have_value("0.8")
