"""The debate chamber alone in a page: reading, stepping by keyboard, setting, themes, long words."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from garage_nb.garage import Garage
from garage_nb.widgets import DebateChamber

from .labpage import Alone

FRANCE = "The capital of France is"
HOSTILE = '<img src=x onerror="document.body.id=1">'
FIRST = "Token 0: ·Paris is written; perspectives would say 0 ·Paris"


@pytest.fixture(scope="module")
def garage() -> Garage:
    return Garage("showroom")


def held(garage: Garage, prompt: str = FRANCE, **how: Any) -> DebateChamber:
    chamber = DebateChamber(garage, prompt, **{"steps": 4, **how})
    assert chamber.wait(60)
    return chamber


def tokens_of(panel: Locator) -> Locator:
    return panel.get_by_role("listbox", name="Tokens written").get_by_role("option")


@pytest.fixture
def panel(alone: Alone, garage: Garage) -> Locator:
    panel: Locator = alone.show(held(garage, at="layer_3"))
    panel.get_by_role("table").wait_for()
    return panel


def test_it_reads_as_lanes_from_input_to_output(panel: Locator) -> None:
    rows = panel.get_by_role("row")
    names = [row.get_by_role("rowheader").get_attribute("aria-label") for row in rows.all()]
    assert names == ["reconciled", "weight", "would say", "layer_5", "layer_4", "layer_3", ""]
    expect(rows.nth(0)).to_contain_text("·Paris")
    expect(rows.nth(1).get_by_role("cell")).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("0.500")
    expect(panel.get_by_text("0 and 1: cosine")).to_be_visible()
    expect(panel.locator(".gnb-chamber-status")).to_contain_text("no gate; of one mind in")


def test_tokens_are_stepped_through_by_keys_and_by_buttons(alone: Alone, panel: Locator) -> None:
    said = panel.get_by_role("status").filter(has_text="Token")
    expect(said).to_contain_text(FIRST)
    expect(panel.get_by_role("button", name="The token before")).to_be_disabled()

    tokens_of(panel).first.focus()
    for _ in range(2):
        alone.page.keyboard.press("ArrowRight")
    expect(tokens_of(panel).nth(2)).to_be_focused()
    expect(said).to_contain_text("Token 2:")
    alone.page.keyboard.press("End")
    expect(said).to_contain_text("Token 3:")
    expect(panel.get_by_role("button", name="The next token")).to_be_disabled()

    panel.get_by_role("button", name="The token before").click()
    expect(said).to_contain_text("Token 2:")
    tokens_of(panel).first.click()
    expect(said).to_contain_text(FIRST)
    assert panel.locator("[role=option][tabindex='0']").count() == 1


def test_the_step_and_the_focus_stay_when_an_answer_comes(alone: Alone, panel: Locator) -> None:
    tokens_of(panel).nth(2).click()
    tokens_of(panel).nth(2).focus()

    alone.get("emit('change:_shown')")

    expect(tokens_of(panel).nth(2)).to_be_focused()
    expect(panel.get_by_role("status").filter(has_text="Token")).to_contain_text("Token 2:")


def test_every_setting_is_a_trait(alone: Alone, panel: Locator) -> None:
    panel.get_by_label("Blocks that run between parting and meeting").select_option("0")
    panel.get_by_label("Blocks that run between parting and meeting").select_option("to the end")
    panel.get_by_label("Layer behind which the stream parts").select_option("layer_1")
    panel.get_by_label("Divergence", exact=True).select_option("projection")
    panel.get_by_label("Reconciliation").select_option("gated")
    panel.get_by_label("How many perspectives").select_option("4")
    panel.get_by_label("Seed of the first perspective").fill("7")
    panel.get_by_label("Seed of the first perspective").press("Enter")
    slide = panel.get_by_role("slider", name="Strength of the divergence")
    slide.fill("0.5")

    assert alone.get("saved") == [
        {"blocks": 0}, {"blocks": None}, {"at": "layer_1"}, {"divergence": "projection"}, {"reconciliation": "gated"},
        {"perspectives": 4}, {"seed": 7}, {"strength": 0.5},
    ]  # fmt: skip
    expect(slide).to_have_attribute("aria-valuetext", "0.50")
    options = panel.get_by_label("Blocks that run between parting and meeting").locator("option")
    assert options.all_inner_texts() == ["to the end", "0: only noise", "1", "2", "3", "4"]


def test_a_number_that_cannot_be_taken_is_put_back(alone: Alone, panel: Locator) -> None:
    tokens = panel.get_by_label("Tokens to write")

    tokens.fill("1000")
    tokens.press("Tab")

    expect(tokens).to_have_value("4")
    assert alone.get("saved") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("how", ["two", "four", "noise"])
def test_pictures(alone: Alone, garage: Garage, theme: str, how: str) -> None:
    options = {"two": {}, "four": {"perspectives": 4, "reconciliation": "gated"}, "noise": {"blocks": 0}}[how]
    panel = alone.show(held(garage, strength=0.3, **options), width=600 if how == "four" else 1000)
    if theme == "dark":
        alone.dark()

    assert alone.picture(panel, f"chamber_{how}_{theme}").stat().st_size > 5_000
    expect(panel.locator(".gnb-chamber-fan").first.locator("path")).to_have_count(4 if how == "four" else 2)
    noisy = panel.get_by_text("perturb-and-merge noise: nothing ran between parting and meeting")
    expect(noisy).to_have_count(int(how == "noise"))


def test_hostile_words_make_no_nodes(alone: Alone, garage: Garage) -> None:
    chamber = held(garage, HOSTILE)
    words = [[HOSTILE, 0.5]] * 5
    steps = [{**step, "reconciled": words, "perspectives": [words] * 2} for step in chamber._shown["steps"]]
    shown = {"layers": [HOSTILE] * 6, "status": HOSTILE, "steps": steps}

    panel = alone.show(chamber, _shown=shown, _title=HOSTILE)

    panel.get_by_role("table").wait_for()
    assert panel.locator("img").count() == 0
    assert alone.page.evaluate("document.body.id") == ""


def test_nothing_read_says_what_to_do(alone: Alone, garage: Garage) -> None:
    panel = alone.show(DebateChamber(garage))

    expect(panel.get_by_text("Type a prompt and press Enter:")).to_be_visible()
    expect(panel.get_by_role("table")).to_be_hidden()
