"""Zoom: a row is opened and what is inside its parts is picked like a part; closed, it shows on the part."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from garage_nb.registry.specs import ModelSpec
from garage_nb.widgets import LayerPicker

from ..widgets.unlike import UNLIKE, opened
from .labpage import Alone
from .pickerpage import OUTSIDE, colour, opener, part

Specs = Callable[..., ModelSpec]

CROSSING = """() => {
  const boxes = [...document.querySelectorAll('.gnb-unit')].map(unit => unit.getBoundingClientRect());
  return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b => a.left < b.right - 0.5 && b.left < a.right - 0.5
    && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5)).length }"""


@pytest.fixture
def panel(alone: Alone, spec: Specs) -> Locator:
    return alone.show(LayerPicker(spec(5)))


def test_a_click_opens_a_row_and_another_closes_it(panel: Locator) -> None:
    chevron = opener(panel, "layer_3")
    expect(chevron).to_have_attribute("aria-expanded", "false")
    expect(chevron).to_have_accessible_name("inside layer_3, 4 heads")
    expect(panel.locator(".gnb-unit")).to_have_count(0)

    chevron.click()
    expect(chevron).to_have_attribute("aria-expanded", "true")
    expect(panel.locator(".gnb-unit")).to_have_text(
        ["heads", "0", "1", "2", "3", "q", "k", "v", "pattern", "before", "mid", "neurons"]
    )

    chevron.click()
    expect(chevron).to_have_attribute("aria-expanded", "false")
    expect(panel.locator(".gnb-unit")).to_have_count(0)


@pytest.mark.parametrize(("opens", "closes"), [("+", "-"), ("Enter", "Space"), ("ArrowRight", "ArrowLeft")])
def test_the_keyboard_opens_and_closes(alone: Alone, panel: Locator, opens: str, closes: str) -> None:
    chevron = opener(panel, "layer_3")
    chevron.focus()

    alone.page.keyboard.press(opens)
    expect(chevron).to_have_attribute("aria-expanded", "true")
    alone.page.keyboard.press(closes)

    expect(chevron).to_have_attribute("aria-expanded", "false")
    expect(chevron).to_be_focused()
    assert alone.get("saved") == []


def test_the_keyboard_goes_from_a_layer_to_one_of_its_heads_and_picks_it(alone: Alone, panel: Locator) -> None:
    keys = alone.page.keyboard
    part(panel, "attention_3:").focus()

    for key in ("+", "ArrowDown", "ArrowLeft", "Space", "Shift+ArrowRight"):
        keys.press(key)
    assert alone.get("model.get('value')") == ["attention_3.head_0", "attention_3.head_1"]

    keys.press("ArrowDown")
    expect(panel.locator(".gnb-unit:focus")).to_have_count(1)
    keys.press("-")
    expect(part(panel, "attention_3:")).to_be_focused()
    expect(part(panel, "attention_3:")).to_have_accessible_name("attention_3: 4 heads of 8, 32 wide, 2 heads picked")


def test_down_and_up_pass_through_what_is_inside_and_keep_the_column(alone: Alone, panel: Locator) -> None:
    keys = alone.page.keyboard
    opener(panel, "layer_3").click()
    part(panel, "ffn_4:").focus()

    for name in ("ffn_3:", "ffn_3.neurons:", "layer_3.before:", "ffn_2:"):
        keys.press("ArrowDown")
        expect(part(panel, name)).to_be_focused()
    keys.press("ArrowUp")
    keys.press("ArrowUp")
    expect(part(panel, "ffn_3.neurons:")).to_be_focused()


def test_heads_are_picked_added_and_extended_like_parts(alone: Alone, panel: Locator) -> None:
    opener(panel, "layer_3").click()
    part(panel, "attention_3.head_1:").click()
    part(panel, "attention_3.head_3:").click(modifiers=["Shift"])
    assert alone.get("model.get('value')") == [f"attention_3.head_{i}" for i in (1, 2, 3)]

    part(panel, "attention_3.head_2:").click(modifiers=["Control"])
    part(panel, "ffn_0:").click(modifiers=["Control"])
    assert alone.get("model.get('value')") == ["ffn_0", "attention_3.head_1", "attention_3.head_3"]
    expect(part(panel, "attention_3.head_3:")).to_have_attribute("aria-selected", "true")


def test_a_range_over_two_open_rows_is_the_same_heads_of_both(alone: Alone, panel: Locator) -> None:
    opener(panel, "layer_3").click()
    opener(panel, "layer_1").click()

    part(panel, "attention_3.head_1:").click()
    part(panel, "attention_1.head_2:").click(modifiers=["Shift"])

    assert sorted(alone.get("model.get('value')")) == [f"attention_{i}.head_{j}" for i in (1, 3) for j in (1, 2)]


def test_a_range_from_a_head_to_a_part_is_of_parts(alone: Alone, panel: Locator) -> None:
    opener(panel, "layer_3").click()

    part(panel, "attention_3.head_1:").click()
    part(panel, "attention_1:").click(modifiers=["Shift"])

    assert alone.get("model.get('value')") == ["attention_1", "attention_2", "attention_3"]


def test_what_is_picked_in_a_closed_row_is_counted_on_its_part(alone: Alone, spec: Specs) -> None:
    panel = alone.show(LayerPicker(spec(5), "attention_3.head_*, attention_1.q, attention_2.head_0, ffn_1.neuron_9"))

    shown = {i: part(panel, f"attention_{i}:").locator(".gnb-figures") for i in range(4)}
    for i, text in enumerate(("4 × 8", "q", "1 head", "4 heads")):
        expect(shown[i]).to_have_text(text)
    expect(part(panel, "ffn_1:").locator(".gnb-figures")).to_have_text("1 neuron")
    expect(part(panel, "attention_3:")).to_have_attribute("aria-selected", "false")
    assert colour(part(panel, "attention_3:"), "borderColor") != colour(part(panel, "attention_0:"), "borderColor")

    opener(panel, "layer_3").click()
    expect(shown[3]).to_have_text("4 × 8")
    expect(panel.locator(".gnb-unit[aria-selected='true']")).to_have_count(4)


def test_a_click_keeps_what_is_picked_where_nothing_is_drawn_only_when_adding(alone: Alone, spec: Specs) -> None:
    panel = alone.show(LayerPicker(spec(5), "ffn_1.neuron_9"))

    part(panel, "ffn_3:").click(modifiers=["Control"])
    part(panel, "ffn_3:").click()

    assert alone.get("saved") == [{"value": ["ffn_1.neuron_9", "ffn_3"]}, {"value": ["ffn_3"]}]


def test_a_changed_head_is_amber_when_open_and_on_its_part_when_closed(alone: Alone, spec: Specs) -> None:
    panel = alone.show(LayerPicker(spec(5), changed="attention_3.head_2"))
    whole = part(panel, "attention_3:")
    expect(whole).to_have_accessible_name("attention_3: 4 heads of 8, 32 wide, 1 head changed")
    amber = colour(panel.locator(".gnb-count"), "color")
    assert colour(whole, "borderColor") == amber

    opener(panel, "layer_3").click()

    expect(part(panel, "attention_3.head_2: one of 4 heads, 8 wide, changed")).to_have_css("border-color", amber)
    assert colour(whole, "borderColor") != amber


def test_experts_and_the_choice_among_them_are_inside(alone: Alone) -> None:
    panel = alone.show(LayerPicker(opened("causal-qwen3_moe")))

    expect(opener(panel, "layer_1")).to_have_accessible_name("inside layer_1, 4 heads, 4 experts")
    opener(panel, "layer_1").click()
    part(panel, "ffn_1.expert_2:").click()
    part(panel, "gate_1.choices:").click(modifiers=["Control"])

    assert sorted(alone.get("model.get('value')")) == ["ffn_1.expert_2", "gate_1.choices"]


def test_a_point_that_is_not_available_says_why_and_is_not_picked(alone: Alone, spec: Specs) -> None:
    widget = LayerPicker(spec(2))
    rows = widget.get_state()["_rows"]
    attention = next(place for row in rows for place in row["places"] if place["name"] == "attention_1")
    attention["inside"] = [{"name": "q", "count": 0, "words": "queries; n/a: no way", "unavailable": "no way"}]
    panel = alone.show(widget, _rows=rows)

    opener(panel, "layer_1").click()
    missing = part(panel, "attention_1.q:")
    expect(missing).to_have_attribute("title", "attention_1.q: queries; n/a: no way")
    missing.click(force=True)

    expect(missing).to_be_disabled()
    assert alone.get("saved") == []


def test_only_opened_rows_have_cells_for_what_is_inside(alone: Alone, spec: Specs) -> None:
    panel = alone.show(LayerPicker(spec(100)))
    closed = panel.locator("*").count()
    assert closed < 3000

    opener(panel, "layer_50").click()

    assert panel.locator("*").count() - closed < 40


@pytest.mark.parametrize("width", [280, 520, 1000])
@pytest.mark.parametrize("name", UNLIKE)
def test_of_any_model_what_is_inside_overlaps_nothing(alone: Alone, name: str, width: int) -> None:
    panel = alone.show(LayerPicker(opened(name)), width=width)

    for chevron in panel.get_by_role("rowheader").all():
        chevron.click()

    assert panel.locator(".gnb-unit").count() > 0
    assert alone.page.evaluate(CROSSING) == 0
    assert alone.page.evaluate(OUTSIDE) == 0


def test_a_screen_reader_meets_an_open_row_as_rows(alone: Alone, spec: Specs) -> None:
    panel = alone.show(LayerPicker(spec(2), "attention_1.head_3"))
    opener(panel, "layer_1").click()

    expect(panel).to_match_aria_snapshot("""
      - row:
        - 'rowheader "inside layer_1, 4 heads" [expanded]'
        - 'gridcell "attention_1: 4 heads of 8, 32 wide"'
      - row:
        - 'gridcell "attention_1.heads: 4 heads side by side"'
        - 'gridcell "attention_1.head_0: one of 4 heads, 8 wide"'
        - gridcell /head_1/
        - gridcell /head_2/
        - 'gridcell "attention_1.head_3: one of 4 heads, 8 wide" [selected]'
        - 'gridcell "attention_1.q: queries"'
    """)
    assert re.search("gnb-inner", panel.inner_html())
