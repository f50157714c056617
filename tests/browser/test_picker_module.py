"""The picker's own module in a blank page: what a hand does to it, and what the kernel may do to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from garage_nb.registry.specs import ModelSpec
from garage_nb.widgets import LayerPicker

from ..widgets.unlike import UNLIKE, opened
from .labpage import Alone
from .pickerpage import OUTSIDE, OVERLAPS, colour, middle, part

Specs = Callable[..., ModelSpec]

HOSTILE = '<img src=x onerror="document.body.id=1">'


@pytest.fixture
def panel(alone: Alone, spec: Specs) -> Locator:
    return alone.show(LayerPicker(spec(5)))


def test_a_click_picks_one_part_and_a_second_click_clears_it(alone: Alone, panel: Locator) -> None:
    part(panel, "attention_3:").click()
    part(panel, "ffn_1:").click()
    part(panel, "ffn_1:").click()

    assert alone.get("saved") == [{"value": ["attention_3"]}, {"value": ["ffn_1"]}, {"value": []}]
    expect(panel.get_by_text("Nothing picked.")).to_be_visible()


def test_shift_click_picks_the_parts_of_that_kind_in_between(alone: Alone, panel: Locator) -> None:
    part(panel, "attention_1:").click()
    part(panel, "attention_3:").click(modifiers=["Shift"])

    assert alone.get("model.get('value')") == ["attention_1", "attention_2", "attention_3"]
    expect(part(panel, "attention_2:")).to_have_attribute("aria-selected", "true")
    expect(part(panel, "ffn_2:")).to_have_attribute("aria-selected", "false")


@pytest.mark.parametrize("key", ["Control", "Meta"])
def test_control_or_command_click_adds_and_takes_away(alone: Alone, panel: Locator, key: str) -> None:
    part(panel, "layer_4:").click()
    part(panel, "ffn_0:").click(modifiers=[key])
    part(panel, "layer_4:").click(modifiers=[key])

    assert alone.get("saved")[1:] == [{"value": ["ffn_0", "layer_4"]}, {"value": ["ffn_0"]}]


def test_a_single_picker_never_holds_two(alone: Alone, spec: Specs) -> None:
    panel = alone.show(LayerPicker(spec(5), multiple=False))

    part(panel, "ffn_0:").click()
    part(panel, "ffn_3:").click(modifiers=["Shift"])
    part(panel, "layer_4:").click(modifiers=["Control"])

    assert [change["value"] for change in alone.get("saved")] == [["ffn_0"], ["ffn_3"], ["layer_4"]]


def test_the_keyboard_alone_walks_picks_and_extends(alone: Alone, panel: Locator) -> None:
    keys = alone.page.keyboard
    for key in ("Tab", "Tab", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight"):
        keys.press(key)
    expect(part(panel, "ffn_4:")).to_be_focused()

    for key in ("Space", "Shift+ArrowDown", "Shift+ArrowDown"):
        keys.press(key)
    assert alone.get("model.get('value')") == ["ffn_2", "ffn_3", "ffn_4"]

    keys.press("Home")
    expect(part(panel, "output_head:")).to_be_focused()
    keys.press("End")
    expect(part(panel, "embedding:")).to_be_focused()
    keys.press("Enter")
    assert alone.get("model.get('value')") == ["embedding"]


def test_going_over_a_narrow_row_keeps_the_column(alone: Alone, panel: Locator) -> None:
    part(panel, "attention_4:").click()

    alone.page.keyboard.press("ArrowUp")
    expect(part(panel, "layer_norm_final:")).to_be_focused()
    alone.page.keyboard.press("ArrowDown")

    expect(part(panel, "attention_4:")).to_be_focused()


def test_escape_gives_the_focus_back_to_what_is_around(alone: Alone, panel: Locator) -> None:
    alone.get("el.parentElement.tabIndex = -1")
    part(panel, "ffn_2:").click()

    alone.page.keyboard.press("Escape")

    assert alone.page.evaluate("document.activeElement === document.body")


def test_box_and_machine_have_one_tab_stop_each_and_every_control_keeps_its_keys_from_the_notebook(
    alone: Alone, panel: Locator
) -> None:
    part(panel, "ffn_2:").click()

    assert panel.locator("[tabindex='0']").count() == 2
    assert panel.locator("[tabindex]").count() == 1 + 5 * 6 + 4  # five parts a layer and their opener, four outside
    assert panel.locator("[tabindex]:not([data-lm-suppress-shortcuts='true'])").count() == 0


def test_python_sets_the_value_and_the_picture_follows(alone: Alone, spec: Specs) -> None:
    panel = alone.show(LayerPicker(spec(40)))
    expect(part(panel, "attention_3:")).not_to_be_in_viewport()

    alone.get("model.set('value', ['attention_3', 'layer_5'])")

    expect(part(panel, "attention_3:")).to_have_attribute("aria-selected", "true")
    expect(part(panel, "layer_5:")).to_be_in_viewport()
    expect(panel.get_by_text("2 picked: attention_3, layer_5")).to_be_visible()


def test_what_was_changed_is_amber_and_picking_is_not(alone: Alone, spec: Specs) -> None:
    panel = alone.show(LayerPicker(spec(5), "ffn_1", changed="ffn_3"))
    changed, picked, plain = (colour(part(panel, f"ffn_{i}:"), "borderColor") for i in (3, 1, 0))

    assert len({changed, picked, plain}) == 3
    expect(part(panel, "ffn_3: 32 wide, 128 inside, changed")).to_be_visible()
    expect(panel.get_by_text("1 changed")).to_have_css("color", changed)


def test_a_part_says_its_size_in_words(alone: Alone, panel: Locator) -> None:
    part(panel, "attention_3:").hover()

    expect(panel.locator(".gnb-words")).to_have_text("attention_3: 4 heads of 8, 32 wide")
    alone.page.mouse.move(0, 0)
    expect(panel.locator(".gnb-words")).to_contain_text("arrow keys")


@pytest.mark.parametrize("width", [280, 520, 1000])
@pytest.mark.parametrize(("model_type", "layers"), [("gpt2", 2), ("gpt2", 100), ("mixtral", 8), ("gemma2", 40)])
def test_nothing_overlaps_or_sticks_out(alone: Alone, spec: Specs, model_type: str, layers: int, width: int) -> None:
    title = "organisation/" + "long-name-" * 9 + "1B"
    panel = alone.show(LayerPicker(spec(layers, model_type), "all", changed="ffn_*"), width=width, _title=title)

    assert alone.page.evaluate(OVERLAPS) == 0
    assert alone.page.evaluate(OUTSIDE) == 0
    spine = [middle(part(panel, name)) for name in ("embedding:", "layer_0:", "layer_norm_final:", "output_head:")]
    assert spine == pytest.approx([spine[0]] * 4, abs=1)


@pytest.mark.parametrize("width", [280, 520, 1000])
@pytest.mark.parametrize("name", UNLIKE)
def test_of_any_model_nothing_overlaps_or_sticks_out(alone: Alone, name: str, width: int) -> None:
    panel = alone.show(LayerPicker(opened(name)), width=width)

    assert alone.page.evaluate(OVERLAPS) == 0
    assert alone.page.evaluate(OUTSIDE) == 0
    spine = [middle(node) for node in panel.locator(".gnb-col3.gnb-part").all()]
    assert spine == pytest.approx([spine[0]] * len(spine), abs=1)


def test_two_stacks_are_told_apart_and_each_has_its_own_stream(alone: Alone) -> None:
    panel = alone.show(LayerPicker(opened("seq2seq-t5")))
    decoder, encoder = (panel.get_by_role("rowgroup", name=name) for name in ("decoder", "encoder"))

    expect(panel.locator(".gnb-caption")).to_have_text(["decoder", "encoder"])
    expect(part(decoder, "layer_2:")).to_have_text("2")
    expect(part(encoder, "encoder_layer_2:")).to_have_text("2")
    assert decoder.bounding_box()["y"] + decoder.bounding_box()["height"] < encoder.bounding_box()["y"]


def test_the_arrow_keys_walk_from_one_stack_to_the_other(alone: Alone) -> None:
    panel = alone.show(LayerPicker(opened("seq2seq-t5")))
    part(panel, "embedding:").click()

    alone.page.keyboard.press("ArrowDown")

    expect(part(panel, "encoder_layer_norm_final:")).to_be_focused()


def test_what_is_not_available_is_dashed_says_why_and_is_not_picked(alone: Alone) -> None:
    panel = alone.show(LayerPicker(opened("causal-mllama"), "layer_0"))
    missing, there = part(panel, "layer_1:"), part(panel, "layer_2:")
    reason = "layer_1: residual stream leaving block 1, 32 wide; n/a: it did not run on token ids alone"

    missing.click(force=True)
    missing.click(force=True, modifiers=["Control"])
    missing.press("Enter")

    assert alone.get("saved") == []
    expect(missing).to_be_disabled()
    expect(missing).to_have_attribute("title", reason)
    expect(missing).to_have_accessible_name(reason)
    expect(panel.locator(".gnb-words")).to_have_text(reason)
    assert (colour(missing, "borderTopStyle"), colour(there, "borderTopStyle")) == ("dashed", "solid")
    assert colour(missing, "color") != colour(there, "color")


@pytest.mark.parametrize("multiple", [True, False])
def test_a_range_leaves_out_what_is_not_available_and_a_single_pick_stays(alone: Alone, multiple: bool) -> None:
    panel = alone.show(LayerPicker(opened("causal-mllama"), multiple=multiple))

    part(panel, "layer_0:").click()
    part(panel, "layer_1:").click(force=True, modifiers=["Shift"])
    assert alone.get("model.get('value')") == ["layer_0"]

    part(panel, "layer_2:").click(modifiers=["Shift"])
    assert alone.get("model.get('value')") == (["layer_0", "layer_2"] if multiple else ["layer_2"])


def test_a_shortened_name_keeps_its_number_and_is_whole_on_hover(alone: Alone, spec: Specs) -> None:
    panel = alone.show(LayerPicker(spec(5)), width=280)
    place = part(panel, "position_embedding:")

    assert place.locator(".gnb-head").evaluate("node => node.scrollWidth > node.clientWidth")
    expect(place).to_have_attribute("title", "position_embedding: 64 positions to 32 wide")


def test_names_are_text_and_never_markup(alone: Alone, spec: Specs) -> None:
    widget = LayerPicker(spec(2))
    rows = widget.get_state()["_rows"]
    place = {**rows[0]["places"][0], "name": HOSTILE, "label": HOSTILE, "words": HOSTILE}
    drawing = [{"stack": HOSTILE, "layer": None, "places": [place]}]
    panel = alone.show(widget, _title=HOSTILE, _rows=drawing, _error=HOSTILE, value=[HOSTILE])

    expect(panel.locator(".gnb-error")).to_have_text(HOSTILE)
    assert panel.locator("img").count() == 0
    assert alone.page.evaluate("document.body.id") == ""


def test_a_gone_kernel_greys_the_panel_and_an_answer_wakes_it(alone: Alone, panel: Locator) -> None:
    alone.get("emit('msg:custom', { kind: 'pong' })")
    alone.get("emit('comm_live_update')")
    expect(panel).to_have_class("gnb gnb-picker gnb-gone")
    expect(panel.get_by_text("The kernel is gone. Run this cell again.")).to_be_visible()
    part(panel, "ffn_1:").click(force=True)
    assert alone.get("saved") == []

    alone.get("emit('msg:custom', { kind: 'pong' })")

    expect(panel).to_have_class("gnb gnb-picker")
    part(panel, "ffn_1:").click()
    assert alone.get("saved") == [{"value": ["ffn_1"]}]


def test_a_page_opened_without_a_kernel_says_so(alone: Alone, spec: Specs) -> None:
    alone.page.clock.install()
    panel = alone.show(LayerPicker(spec(2)))
    assert alone.get("sent") == [{"kind": "ping"}]

    alone.page.clock.run_for(5_000)

    expect(panel.get_by_text("No answer from the kernel.")).to_be_visible()


def test_a_screen_reader_meets_a_grid_of_named_parts(alone: Alone, spec: Specs) -> None:
    panel = alone.show(LayerPicker(spec(2), "ffn_1"))

    expect(panel).to_match_aria_snapshot("""
      - region "Layers of tiny":
        - grid "Parts of tiny, output on top":
          - row:
            - 'gridcell "output_head: 32 wide to 64 tokens"'
          - row:
            - 'gridcell "layer_norm_final: norm outside the blocks, 32 wide"'
          - row:
            - 'rowheader "inside layer_1, 4 heads"'
            - 'gridcell "attention_1: 4 heads of 8, 32 wide"'
            - gridcell /layer_norm_1_attention/
            - 'gridcell "layer_1: residual stream leaving block 1, 32 wide"'
            - gridcell /layer_norm_1_ffn/
            - 'gridcell "ffn_1: 32 wide, 128 inside" [selected]'
    """)
