"""The attention view's own module in a blank page: thumbnails, the large head and the strip, by hand and keyboard."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from garage_nb.garage import Garage
from garage_nb.view.palette import AMOUNTS
from garage_nb.widgets import AttentionView

from .labpage import Alone

FRANCE = "The capital of France is"
LONG = " ".join(["Alice has a red ball and Bob has a blue ball ."] * 4)
TILE, GAP = 56, 4  # pixels
HOSTILE = '<img src=x onerror="document.body.id=1">'
PIXEL = "(node, [x, y]) => [...node.getContext('2d').getImageData(x, y, 1, 1).data]"
TOUCHING = """side => { const boxes = [...document.querySelectorAll(`.gnb-names-${side} .gnb-axis`)]
    .map(name => name.getBoundingClientRect());
  const [low, high] = side === 'left' ? ['top', 'bottom'] : ['left', 'right'];
  return [boxes.length, boxes.slice(1).filter((box, i) => box[low] < boxes[i][high] - 0.5).length]; }"""
BUILT = """async () => { const began = performance.now(); T.emit('change:_thumbnails');
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - began; }"""


@pytest.fixture(scope="module")
def garage() -> Garage:
    return Garage("showroom")


def read(garage: Garage, prompt: str, head: str = "attention_3.head_1") -> AttentionView:
    view = AttentionView(garage, prompt)
    assert view.wait(60)
    view.head = head
    assert view.wait(60)
    return view


@pytest.fixture
def panel(alone: Alone, garage: Garage) -> Locator:
    panel: Locator = alone.show(read(garage, FRANCE))
    panel.get_by_role("gridcell").first.wait_for()
    return panel


def tile(panel: Locator, head: str) -> Locator:
    return panel.get_by_role("gridcell", name=head, exact=True)


def pixel(canvas: Locator, x: int, y: int) -> Any:
    return canvas.evaluate(PIXEL, [x, y])


def test_it_reads_as_heads_a_picture_and_tokens(panel: Locator) -> None:
    expect(panel).to_match_aria_snapshot("""
      - textbox "Prompt"
      - button "Read the prompt"
      - grid "Heads, output on top":
        - row:
          - rowheader "attention_5"
          - gridcell "attention_5.head_0"
          - gridcell "attention_5.head_1"
          - gridcell "attention_5.head_2"
          - gridcell "attention_5.head_3"
      - listbox "Tokens that look":
        - option /bos/
        - 'option "1: The"'
        - 'option "2: ·capital"'
        - 'option "3: ·of"'
        - 'option "4: ·France"'
        - 'option "5: ·is" [selected]'
      - 'img "attention_3.head_1: 6 tokens by the 6 they look at"'
    """)


def test_a_click_or_enter_chooses_a_head(alone: Alone, panel: Locator) -> None:
    tile(panel, "attention_5.head_2").click()
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        alone.page.keyboard.press(key)

    assert alone.get("saved") == [{"head": "attention_5.head_2"}, {"head": "attention_4.head_3"}]
    expect(tile(panel, "attention_4.head_3")).to_have_attribute("aria-selected", "true")
    expect(tile(panel, "attention_4.head_3")).to_be_focused()
    assert panel.locator(".gnb-tile[tabindex='0']").count() == 1
    for key in ("Home", "PageDown"):
        alone.page.keyboard.press(key)
    expect(tile(panel, "attention_0.head_0")).to_be_focused()


def test_every_square_has_the_colour_of_its_weight(garage: Garage, panel: Locator) -> None:
    weights = garage.attention(FRANCE).head("attention_3.head_1").numpy()
    stops = np.array([list(bytes.fromhex(stop[1:])) for stop in AMOUNTS], dtype=float)

    large = panel.locator(".gnb-map canvas")
    row = tile(panel, "attention_3.head_1").locator("xpath=..").locator("canvas")
    for query, key in ((0, 0), (5, 2), (5, 5), (3, 1)):
        place = float(weights[query, key]) * (len(stops) - 1)
        low = min(int(place), len(stops) - 2)
        expected = stops[low] + (stops[low + 1] - stops[low]) * (place - low)
        assert np.allclose(pixel(large, key, query)[:3], expected, atol=3)
        across, down = (int((at + 0.5) * TILE / 6) for at in (key, query))
        assert np.allclose(pixel(row, TILE + GAP + GAP // 2 + across, down)[:3], expected, atol=3)


def test_a_token_lights_what_it_looks_at(garage: Garage, panel: Locator) -> None:
    found = garage.attention(FRANCE)

    panel.get_by_role("option", name="2: ·capital").hover()

    (at, token, share), *_ = found.strongest("attention_3.head_1", 2)
    expect(panel.get_by_text("attention_3.head_1: ·capital at 2 looks at")).to_be_visible()
    first = panel.locator(".gnb-best .gnb-share").first
    assert f"{token.replace(' ', '·')} at {at}" in first.inner_text().replace("\n", "")
    assert f"{share:.3f}" in first.inner_text()
    unlit = panel.get_by_role("option", name="5: ·is").evaluate("node => node.style.background")
    assert unlit == "rgb(0, 34, 78)"


def test_the_keyboard_moves_over_the_tokens(alone: Alone, panel: Locator) -> None:
    panel.get_by_role("option", name="5: ·is").focus()
    alone.page.keyboard.press("ArrowLeft")
    expect(panel.get_by_role("option", name="4: ·France")).to_be_focused()
    expect(panel.get_by_role("status").filter(has_text="·France at 4 looks at")).to_be_visible()

    panel.get_by_role("img").focus()
    alone.page.keyboard.press("Home")
    expect(panel.get_by_role("option", name="0: <|bos|>")).to_have_attribute("aria-selected", "true")


def test_the_pointer_names_the_square(panel: Locator) -> None:
    panel.get_by_role("img").hover(position={"x": 2.5 * 28, "y": 5.5 * 28})

    expect(panel.get_by_text("·is at 5 looks at; at ·capital at 2 with")).to_be_visible()


def test_the_focus_stays_when_the_numbers_change(alone: Alone, panel: Locator) -> None:
    for control in (tile(panel, "attention_4.head_2"), panel.get_by_role("img"), panel.get_by_role("option").nth(3)):
        control.focus()
        for name in ("_thumbnails", "_shown", "_weights", "_parts"):
            alone.get(f"emit('change:{name}')")
        expect(control).to_be_focused()


def test_names_never_touch(alone: Alone, garage: Garage) -> None:
    for prompt in (FRANCE, LONG):
        alone.show(read(garage, prompt)).get_by_role("gridcell").first.wait_for()
        for side in ("left", "under"):
            names, touching = alone.page.evaluate(TOUCHING, side)
            assert names >= 6
            assert touching == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("prompt", [FRANCE, LONG])
def test_pictures(alone: Alone, garage: Garage, theme: str, prompt: str) -> None:
    panel = alone.show(read(garage, prompt), _changes=2)
    if theme == "dark":
        alone.dark()

    expect(panel.get_by_text("2 edits in force")).to_be_visible()
    assert alone.picture(panel, f"attention_{'long' if prompt == LONG else 'short'}_{theme}").stat().st_size > 5_000


def test_a_large_model_fits_and_one_head_of_it_is_reached_by_keyboard(alone: Alone, garage: Garage) -> None:
    """48 layers of 32 heads."""
    parts = [{"name": f"attention_{layer}", "size": [32, 24, 24]} for layer in range(48)]
    view = read(garage, FRANCE)

    panel = alone.show(view, _parts=parts, _thumbnails=bytes(48 * 32 * 24 * 24), head="attention_47.head_31")

    expect(panel.get_by_role("gridcell")).to_have_count(48 * 32)
    assert alone.page.evaluate("document.querySelector('.gnb').scrollWidth <= 702")
    print(f"1,536 thumbnails in {alone.page.evaluate(BUILT):.0f} ms")


def test_hostile_tokens_make_no_nodes(alone: Alone, garage: Garage) -> None:
    shown = {"head": HOSTILE, "queries": [HOSTILE] * 6, "keys": [HOSTILE, *["x"] * 5]}
    panel = alone.show(read(garage, FRANCE), _shown=shown, _title=HOSTILE)

    panel.get_by_role("option").first.wait_for()

    assert panel.locator("img").count() == 0
    assert alone.page.evaluate("document.body.id") == ""
    expect(panel.get_by_role("list", name="Tokens looked at")).to_be_visible()


def test_nothing_read_says_what_to_do(alone: Alone, garage: Garage) -> None:
    panel = alone.show(AttentionView(garage))

    expect(panel.get_by_text("Type a prompt and press Enter:")).to_be_visible()
    expect(panel.get_by_role("grid")).to_be_hidden()
    expect(panel.get_by_role("listbox")).to_be_hidden()
