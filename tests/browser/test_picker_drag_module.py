"""Ranges by drag: shown at once, sent when let go, taken back by Escape."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from garage_nb.registry.specs import ModelSpec
from garage_nb.widgets import LayerPicker

from ..widgets.unlike import opened
from .labpage import Alone
from .pickerpage import opener, part, spot

Specs = Callable[..., ModelSpec]


@pytest.fixture
def panel(alone: Alone, spec: Specs) -> Locator:
    return alone.show(LayerPicker(spec(5)))


def drag(alone: Alone, start: Locator, *through: Locator, let_go: bool = True) -> None:
    mouse = alone.page.mouse
    mouse.move(*spot(start))
    mouse.down()
    for place in through:
        mouse.move(*spot(place), steps=6)
    if let_go:
        mouse.up()


def picked(panel: Locator) -> list[str]:
    labels = panel.locator("[aria-selected='true']").evaluate_all("nodes => nodes.map(node => node.ariaLabel)")
    return sorted(label.partition(":")[0] for label in labels)


def test_a_drag_picks_the_rectangle_and_says_so_once(alone: Alone, panel: Locator) -> None:
    drag(alone, part(panel, "attention_3:"), part(panel, "layer_1:"), let_go=False)
    norms = [f"layer_norm_{i}_attention" for i in (1, 2, 3)]
    rectangle = sorted([*norms, *(f"{kind}_{i}" for kind in ("attention", "layer") for i in (1, 2, 3))])
    assert picked(panel) == rectangle
    assert alone.get("saved") == []

    alone.page.mouse.up()

    assert sorted(alone.get("saved")[0]["value"]) == rectangle
    assert len(alone.get("saved")) == 1


def test_it_follows_the_pointer_back(alone: Alone, panel: Locator) -> None:
    drag(alone, part(panel, "ffn_1:"), part(panel, "ffn_4:"), part(panel, "ffn_2:"))
    assert alone.get("saved") == [{"value": ["ffn_1", "ffn_2"]}]

    drag(alone, part(panel, "ffn_1:"), part(panel, "ffn_4:"), part(panel, "ffn_1:"))
    assert alone.get("saved")[1:] == [{"value": ["ffn_1"]}]


def test_escape_takes_it_back_and_the_focus_stays(alone: Alone, panel: Locator) -> None:
    part(panel, "ffn_0:").click()
    drag(alone, part(panel, "ffn_1:"), part(panel, "ffn_3:"), let_go=False)
    assert picked(panel) == ["ffn_1", "ffn_2", "ffn_3"]

    alone.page.keyboard.press("Escape")
    assert picked(panel) == ["ffn_0"]
    alone.page.mouse.up()

    assert alone.get("saved") == [{"value": ["ffn_0"]}]
    expect(part(panel, "ffn_1:")).to_be_focused()


def test_control_adds_the_rectangle(alone: Alone, panel: Locator) -> None:
    part(panel, "attention_0:").click()
    alone.page.keyboard.down("Control")
    drag(alone, part(panel, "ffn_3:"), part(panel, "ffn_4:"))
    alone.page.keyboard.up("Control")

    assert alone.get("model.get('value')") == ["attention_0", "ffn_3", "ffn_4"]


def test_shift_click_goes_on_from_where_the_drag_began(alone: Alone, panel: Locator) -> None:
    drag(alone, part(panel, "ffn_2:"), part(panel, "ffn_3:"))
    part(panel, "ffn_0:").click(modifiers=["Shift"])

    assert alone.get("model.get('value')") == ["ffn_0", "ffn_1", "ffn_2"]


def test_a_drag_that_ends_outside_counts_to_the_last_part_it_met(alone: Alone, panel: Locator) -> None:
    drag(alone, part(panel, "ffn_2:"), part(panel, "ffn_3:"), let_go=False)
    alone.page.mouse.move(1090, 5, steps=4)
    alone.page.mouse.up()

    assert alone.get("saved") == [{"value": ["ffn_2", "ffn_3"]}]


def test_heads_are_dragged_over_too(alone: Alone, panel: Locator) -> None:
    opener(panel, "layer_2").click()
    drag(alone, part(panel, "attention_2.head_0:"), part(panel, "attention_2.head_2:"))

    assert alone.get("saved") == [{"value": [f"attention_2.head_{i}" for i in range(3)]}]


def test_what_is_not_available_is_left_out_and_a_single_picker_takes_one(alone: Alone) -> None:
    panel = alone.show(LayerPicker(opened("causal-mllama")))
    drag(alone, part(panel, "layer_0:"), part(panel, "layer_2:"))
    assert alone.get("saved") == [{"value": ["layer_0", "layer_2"]}]

    panel = alone.show(LayerPicker(opened("causal-mllama"), multiple=False))
    drag(alone, part(panel, "layer_0:"), part(panel, "layer_2:"))
    assert alone.get("saved") == []


def test_a_tall_machine_scrolls_under_a_drag(alone: Alone, spec: Specs) -> None:
    panel = alone.show(LayerPicker(spec(40), "layer_39"))
    grid = panel.get_by_role("grid")
    box = grid.bounding_box()
    x, _ = spot(part(panel, "ffn_39:"))
    alone.page.mouse.move(x, spot(part(panel, "ffn_39:"))[1])
    alone.page.mouse.down()
    for _ in range(12):
        alone.page.mouse.move(x, box["y"] + box["height"] - 6)
        alone.page.mouse.move(x, box["y"] + box["height"] - 8)
    alone.page.mouse.up()

    assert grid.evaluate("node => node.scrollTop") > 200
    assert len(alone.get("saved")[0]["value"]) > 15


def test_the_rail_shows_where_one_is_and_jumps(alone: Alone, spec: Specs) -> None:
    panel = alone.show(LayerPicker(spec(40), "layer_39"))
    rail = panel.locator(".gnb-rail")
    assert "var(--gnb-pick)" in rail.locator(".gnb-lane").nth(1).get_attribute("style")

    box = rail.bounding_box()
    alone.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] - 4)

    expect(part(panel, "embedding:")).to_be_in_viewport()
    seen = rail.locator(".gnb-seen").bounding_box()
    assert seen["y"] + seen["height"] == pytest.approx(box["y"] + box["height"], abs=3)


def test_a_short_machine_has_no_rail(panel: Locator) -> None:
    expect(panel.locator(".gnb-rail")).to_have_count(0)
