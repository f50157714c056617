"""The search box: nothing is sent while one types, and the kernel says what the text stands for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from garage_nb.registry.specs import ModelSpec
from garage_nb.widgets import LayerPicker

from .labpage import Alone
from .pickerpage import part

Specs = Callable[..., ModelSpec]
PING = {"kind": "ping"}


@pytest.fixture
def panel(alone: Alone, spec: Specs) -> Locator:
    return alone.show(LayerPicker(spec(5)))


@pytest.fixture
def box(panel: Locator) -> Locator:
    return panel.get_by_role("searchbox", name="Pick by name")


def test_enter_sends_what_was_typed_and_typing_sends_nothing(alone: Alone, box: Locator) -> None:
    box.press_sequentially("attention_3.head_*, 0:4:2")
    assert alone.get("sent") == [PING]

    box.press("Enter")

    assert alone.get("sent") == [PING, {"kind": "pick", "selector": "attention_3.head_*, 0:4:2"}]
    assert alone.get("saved") == []


def test_a_slash_anywhere_in_the_panel_goes_to_the_box(alone: Alone, panel: Locator, box: Locator) -> None:
    part(panel, "ffn_2:").focus()

    alone.page.keyboard.press("/")
    expect(box).to_be_focused()
    alone.page.keyboard.type("0/1")

    expect(box).to_have_value("0/1")


def test_keys_of_the_machine_are_letters_in_the_box(alone: Alone, panel: Locator, box: Locator) -> None:
    box.press_sequentially("0:+ -")
    box.press("ArrowLeft")
    box.press("Home")

    expect(box).to_have_value("0:+ -")
    expect(box).to_be_focused()
    assert alone.get("saved") == []


def test_it_says_how_to_name_and_keeps_its_keys_from_the_notebook(panel: Locator, box: Locator) -> None:
    expect(box).to_have_attribute("placeholder", "0,6,-1   attention_*   0:12:2   attention_3.head_*")
    expect(box).to_have_attribute("data-lm-suppress-shortcuts", "true")
    expect(panel.get_by_text("Pick", exact=True)).to_be_visible()


def test_a_refusal_is_shown_in_two_lines(alone: Alone, spec: Specs) -> None:
    panel = alone.show(LayerPicker(spec(2)), _error="'atention_1' is no part of tiny.\nNearest: attention_1.")

    expect(panel.get_by_role("alert")).to_have_text("'atention_1' is no part of tiny. Nearest: attention_1.")
    expect(panel.get_by_role("alert")).to_have_css("white-space-collapse", "preserve-breaks")
