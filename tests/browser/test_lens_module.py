"""The lens view's own module in a blank page: the grid by hand and by keyboard, its numbers, and hostile tokens."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from garage_nb.garage import Garage
from garage_nb.widgets import LensView

from .labpage import Alone

FRANCE = "The capital of France is"
LONG = " ".join(["Alice has a red ball and Bob has a blue ball ."] * 4)
HOSTILE = '<img src=x onerror="document.body.id=1">'
CONTRAST = """cells => { const light = text => { const [r, g, b] = text.match(/[0-9.]+/g).map(v => v / 255)
  .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  return Math.min(...cells.map(cell => { const style = getComputedStyle(cell);
    const [a, b] = [light(style.color), light(style.backgroundColor)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); })); }"""
CUT = """nodes => nodes.filter(node => node.scrollWidth > node.clientWidth + 1).length"""


@pytest.fixture(scope="module")
def garage() -> Garage:
    return Garage("showroom")


def read(garage: Garage, prompt: str) -> LensView:
    view = LensView(garage, prompt)
    assert view.wait(60)
    return view


@pytest.fixture
def panel(alone: Alone, garage: Garage) -> Locator:
    panel: Locator = alone.show(read(garage, FRANCE))
    cell(panel, "layer_0").wait_for()
    return panel


def cell(panel: Locator, layer: str, token: str = "·is") -> Locator:
    return panel.get_by_role("gridcell", name=re.compile(f"^{layer} at {re.escape(token)}:"))


def test_it_reads_as_a_grid_of_predictions(panel: Locator) -> None:
    expect(panel.get_by_role("grid")).to_match_aria_snapshot("""
      - grid "Likeliest token by layer, output on top, and position":
        - row:
          - rowheader "layer_5"
          - 'gridcell "layer_5 at <|bos|>: map 0.123"'
          - 'gridcell "layer_5 at The: ·capital 0.218"'
          - 'gridcell "layer_5 at ·capital: ·of 1.000"'
          - 'gridcell "layer_5 at ·of: ·the 0.075"'
          - 'gridcell "layer_5 at ·France: ·is 0.998"'
          - 'gridcell "layer_5 at ·is: ·Paris 0.993"'
    """)
    expect(panel.get_by_role("rowheader")).to_have_count(7)
    expect(panel.get_by_role("columnheader")).to_have_text(["<|bos|>", "The", "·capital", "·of", "·France", "·is"])


def test_the_keyboard_walks_and_follows(alone: Alone, panel: Locator) -> None:
    expect(panel.get_by_role("combobox")).to_have_attribute("data-lm-suppress-shortcuts", "true")
    expect(panel.get_by_role("textbox")).to_have_count(2)
    cell(panel, "layer_5").focus()

    for key in ("ArrowDown", "ArrowDown", "ArrowLeft"):
        alone.page.keyboard.press(key)
    expect(cell(panel, "layer_3", "·France")).to_be_focused()
    expect(panel.get_by_role("status").filter(has_text="layer_3, having read ·France at 4")).to_be_visible()

    alone.page.keyboard.press("Home")
    alone.page.keyboard.press("PageDown")
    expect(cell(panel, "layer_0", "<|bos|>")).to_be_focused()
    alone.page.keyboard.press("Enter")
    texts = alone.get("model.get('_texts')")
    sent = [message for message in alone.get("sent") if message["kind"] == "follow"]
    assert [texts[message["token"]] for message in sent] == [" 6"]
    assert panel.locator(".gnb-guess[tabindex='0']").count() == 1


def test_the_focus_stays_when_the_numbers_change(alone: Alone, panel: Locator) -> None:
    cell(panel, "layer_2", "·of").focus()

    alone.get("emit('change:_measures')")

    expect(cell(panel, "layer_2", "·of")).to_be_focused()


def test_the_pointer_shows_what_stands_beneath_it(panel: Locator) -> None:
    cell(panel, "layer_4").hover()

    expect(panel.get_by_text("layer_4, having read ·is at 5")).to_be_visible()
    expect(panel.locator(".gnb-best .gnb-share")).to_have_count(5)
    expect(panel.locator(".gnb-best .gnb-share").first).to_contain_text("Paris")
    expect(panel.get_by_text("·Paris is number 1 with 0.219")).to_be_visible()


def test_the_shade_can_be_any_measure(panel: Locator) -> None:
    before = cell(panel, "layer_0").evaluate("node => node.style.background")

    panel.get_by_label("Shade by").select_option("divergence")

    expect(panel.locator(".gnb-legend")).to_contain_text("KL from the model's answer, nats")
    assert cell(panel, "layer_0").evaluate("node => node.style.background") != before
    assert cell(panel, "layer_5").evaluate("node => node.style.background") == "rgb(0, 34, 78)"


def test_enter_asks_and_a_line_break_does_not(alone: Alone, panel: Locator) -> None:
    box = panel.get_by_role("textbox", name="Prompt")

    box.fill("Bob has")
    box.press("Shift+Enter")
    assert alone.get("saved") == []
    box.fill("Bob has a")
    box.press("Enter")
    assert alone.get("saved") == [{"prompt": "Bob has a"}]
    box.press("Enter")
    assert alone.get("sent").count({"kind": "again"}) == 1


def test_text_on_every_shade_can_be_read_and_none_is_cut(alone: Alone, panel: Locator) -> None:
    cells = panel.locator(".gnb-guess")

    assert cells.evaluate_all(CONTRAST) >= 4.5
    assert cells.evaluate_all(CUT) == 0


def test_of_a_long_prompt_only_what_is_in_sight_is_there(alone: Alone, garage: Garage) -> None:
    panel = alone.show(read(garage, LONG))
    cells = panel.locator(".gnb-lens-row").first.locator(".gnb-guess")
    cells.first.wait_for()
    tokens = alone.get("model.get('_tokens').length")
    assert tokens > 60
    assert cells.count() < 16

    panel.locator(".gnb-guess[tabindex='0']").focus()
    alone.page.keyboard.press("Home")

    expect(panel.locator(".gnb-guess:focus")).to_have_attribute("aria-colindex", "2")
    expect(panel.get_by_role("grid")).to_have_attribute("aria-colcount", str(tokens + 1))
    assert panel.locator(".gnb-lens-window").evaluate("node => node.scrollLeft") == 0
    assert cells.count() < 16


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("prompt", [FRANCE, LONG])
def test_pictures(alone: Alone, garage: Garage, theme: str, prompt: str) -> None:
    panel = alone.show(read(garage, prompt), _changes=1)
    if theme == "dark":
        alone.dark()

    expect(panel.get_by_text("1 edit in force")).to_be_visible()
    assert alone.picture(panel, f"lens_{'long' if prompt == LONG else 'short'}_{theme}").stat().st_size > 5_000


def test_hostile_tokens_make_no_nodes(alone: Alone, garage: Garage) -> None:
    panel = alone.show(read(garage, HOSTILE), _texts=[HOSTILE] * 400, _title=HOSTILE, _following=HOSTILE)

    panel.locator(".gnb-guess").first.wait_for()

    assert panel.locator("img").count() == 0
    assert alone.page.evaluate("document.body.id") == ""


def test_nothing_read_says_what_to_do(alone: Alone, garage: Garage) -> None:
    panel = alone.show(LensView(garage))

    expect(panel.get_by_text("Type a prompt and press Enter:")).to_be_visible()
    expect(panel.get_by_role("grid")).to_be_hidden()
