"""The scope's own module in a blank page: what a hand does to it, and what is painted of the numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from garage_nb.garage import Garage
from garage_nb.view.palette import AMOUNTS
from garage_nb.view.scale import Scale
from garage_nb.widgets.assets import script
from garage_nb.widgets.scope import SparsityScope

from .labpage import Alone

HOSTILE = '<img src=x onerror="document.body.id=1">'
STORY = "Once upon a time"
OUTSIDE = """() => { const edge = document.querySelector('.gnb').getBoundingClientRect();
  return [...document.querySelectorAll('.gnb *')].filter(node => { const box = node.getBoundingClientRect();
    return box.width && !node.closest('.gnb-across') && (box.left < edge.left - 0.5 || box.right > edge.right + 0.5);
  }).map(node => node.className) }"""
TOUCHING = """selector => { const boxes = [...document.querySelectorAll(selector)].map(n => n.getBoundingClientRect());
  return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b =>
    a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5)).length }"""
PAINT = """([rows, columns, up, repeats]) => {
  const values = Float32Array.from({ length: rows * columns }, (_, i) => (i * 7919 % 1009) / 1008);
  values[3] = NaN;
  const canvas = document.createElement('canvas'); document.body.append(canvas);
  const given = { rows, columns, values, low: 0, high: 1, stops: AMOUNTS, up };
  const times = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now(); heat(canvas, given);
    canvas.getContext('2d').getImageData(0, 0, 1, 1); times.push(performance.now() - start); }
  const pixels = canvas.getContext('2d').getImageData(0, 0, columns, rows).data;
  return { values: [...values], pixels: [...pixels], times }; }"""

UPDATE = """async () => { const { model, emit } = T, times = []; let drawn = 0;
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (...args) { drawn += 1; return put.apply(this, args); };
  for (let i = 1; i <= 11; i++) {
    model.set('_shown', { ...model.get('_shown'), high: i });
    emit('change:_values');
    await new Promise(done => requestAnimationFrame(start => { times.push(performance.now() - start); done(); }));
    await new Promise(done => setTimeout(done)); }
  return { times, drawn }; }"""


@pytest.fixture(scope="module")
def garage() -> Garage:
    garage = Garage("showroom")
    garage.model.generation_config.eos_token_id = None
    return garage


@pytest.fixture
def scope(garage: Garage) -> Iterator[SparsityScope]:
    made = SparsityScope(garage, STORY, tokens=12)
    assert made.wait(30)
    yield made
    made.close()
    garage.reset()


def sent(alone: Alone) -> list[dict[str, Any]]:
    return [message for message in alone.get("sent") if message != {"kind": "ping"}]


def the_map(panel: Locator) -> Locator:
    return panel.get_by_role("application")


def test_every_cell_has_the_colour_of_its_number(alone: Alone) -> None:
    alone.page.add_script_tag(content=script("heat.js"))
    scale = Scale(0, 1, AMOUNTS)

    for up in (False, True):
        found = alone.page.evaluate(PAINT, [6, 50, up, 1])
        pixels = np.array(found["pixels"]).reshape(6, 50, 4)[:: -1 if up else 1]
        for place, value in enumerate(found["values"]):
            red, green, blue, alpha = pixels[divmod(place, 50)]
            if value is None or np.isnan(value):
                assert alpha == 0
            else:
                expected = bytes.fromhex(scale.colour(value)[1:])
                assert np.abs(np.array(list(expected)) - [red, green, blue]).max() <= 1


def test_a_picture_of_96_layers_by_1024_tokens_is_painted_whole(
    alone: Alone, record_property: Callable[[str, object], None]
) -> None:
    alone.page.add_script_tag(content=script("heat.js"))

    found = alone.page.evaluate(PAINT, [96, 1024, True, 20])

    record_property("milliseconds to paint 96 x 1,024", round(sorted(found["times"])[10], 2))
    print(
        f"\n96 x 1,024 painted in {sorted(found['times'])[10]:.1f} ms, the slowest of 20 {max(found['times']):.1f} ms"
    )
    pixels = np.array(found["pixels"]).reshape(96 * 1024, 4)
    assert (pixels[:, 3] == 0).sum() == 1
    assert len(np.unique(pixels[:, :3], axis=0)) > 400


def test_the_map_is_the_numbers_of_the_widget_output_on_top(alone: Alone, scope: SparsityScope) -> None:
    panel = alone.show(scope)

    painted = (
        the_map(panel)
        .locator("canvas")
        .evaluate("c => [c.width, c.height, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]")
    )

    wide, high, *pixels = painted
    assert (high, wide) == scope.value.shape
    top = np.array(pixels).reshape(high, wide, 4)[0]
    values = scope.value.astype(np.float32)
    scale = Scale(float(values.min()), float(values.max()), AMOUNTS)
    expected = [list(bytes.fromhex(scale.colour(float(value))[1:])) for value in values[-1]]
    assert np.abs(top[:, :3] - expected).max() <= 1


def test_arrow_keys_move_a_cursor_and_it_is_read_out(alone: Alone, scope: SparsityScope) -> None:
    panel = alone.show(scope)
    last = scope.value.shape[1] - 1

    the_map(panel).focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft"):
        alone.page.keyboard.press(key)

    said = panel.locator(".gnb-words")
    expect(said).to_contain_text(f"layer_3 at {last - 1}")
    expect(said).to_contain_text(f"{scope.value[3, last - 1]:.3f}")
    expect(said).to_have_attribute("aria-live", "polite")
    for key in ("Home", "PageDown", "ArrowDown"):
        alone.page.keyboard.press(key)
    expect(said).to_contain_text("layer_0 at 0")
    assert the_map(panel).get_attribute("data-lm-suppress-shortcuts") == "true"


def test_the_pointer_reads_and_leaving_it_gives_the_cursor_back(alone: Alone, scope: SparsityScope) -> None:
    panel = alone.show(scope)
    box = the_map(panel).bounding_box()
    rows, columns = scope.value.shape

    alone.page.mouse.move(box["x"] + box["width"] * 2.5 / columns, box["y"] + box["height"] * (rows - 0.5) / rows)

    expect(panel.locator(".gnb-words")).to_contain_text(
        f"layer_0 at 2 ‘{(scope.trace or scope).tokens[2].replace(' ', '·')}’"
    )
    alone.page.mouse.move(0, 0)
    expect(panel.locator(".gnb-words")).to_contain_text(f"layer_5 at {columns - 1}")


def test_the_slider_and_the_list_write_what_the_kernel_takes(alone: Alone, scope: SparsityScope) -> None:
    panel = alone.show(scope)
    slider, choice = panel.get_by_role("slider"), panel.get_by_role("combobox", name="Statistic")

    slider.focus()
    alone.page.keyboard.press("ArrowRight")
    assert alone.get("saved")[-1] == {"tau": scope.edges[scope.edges.index(0.1) + 1]}
    expect(slider).to_have_attribute("aria-valuetext", "0.12 σ")

    choice.select_option("norm")
    assert alone.get("saved")[-1] == {"statistic": "norm"}
    expect(slider).to_be_hidden()
    count = panel.get_by_role("spinbutton", name="New tokens at most")
    count.fill("99999")
    count.press("Tab")
    assert "tokens" not in alone.get("saved")[-1]
    expect(count).to_have_value("12")
    count.fill("30")
    count.press("Tab")
    assert alone.get("saved")[-1] == {"tokens": 30}


def test_one_button_starts_pauses_and_goes_on(alone: Alone, scope: SparsityScope) -> None:
    panel = alone.show(scope)
    main, stop = panel.locator(".gnb-ask button").first, panel.get_by_role("button", name="Stop for good")
    expect(stop).to_be_disabled()

    main.click()
    alone.get("model.set('_running', true)")
    main.click()
    alone.get("model.set('_running', false)")
    alone.get("model.set('_left', true)")
    expect(main).to_have_text("Go on")
    main.click()
    stop.click()

    assert [message["kind"] for message in sent(alone)] == ["again", "stop", "resume", "finish"]


def test_files_are_asked_of_the_kernel_and_the_picture_of_the_page(alone: Alone, scope: SparsityScope) -> None:
    panel = alone.show(scope)

    with alone.page.expect_download() as waiting:
        panel.get_by_role("button", name="as PNG").click()
    with Image.open(waiting.value.path()) as image:
        assert min(image.size) > 100
        assert len(image.convert("RGB").getcolors(1 << 20) or []) > 30
    for form in ("SVG", "CSV"):
        panel.get_by_role("button", name=f"as {form}").click()

    assert sent(alone) == [{"kind": "save", "form": "svg"}, {"kind": "save", "form": "csv"}]


def test_before_a_prompt_it_says_what_to_do(alone: Alone, garage: Garage) -> None:
    panel = alone.show(SparsityScope(garage))

    expect(panel.locator(".gnb-empty")).to_contain_text("Type a prompt and press Start")
    expect(the_map(panel)).to_be_hidden()
    panel.get_by_role("textbox", name="Prompt").fill("Hello")
    alone.page.keyboard.press("Enter")
    assert alone.get("saved") == [{"prompt": "Hello"}]


@pytest.mark.parametrize("width", [300, 520, 1000])
@pytest.mark.parametrize("size", [(2, 1), (6, 40), (96, 1024)])
def test_nothing_sticks_out_and_no_name_touches_the_next(
    alone: Alone, scope: SparsityScope, width: int, size: tuple[int, int]
) -> None:
    rows, columns = size
    values = np.linspace(0, 1, rows * columns, dtype=np.float32).tobytes()
    parts, tokens = [f"attention_{i}.neurons" for i in range(rows)], [f"token-{i}" * 3 for i in range(columns)]
    shown = {**scope._shown, "parts": parts, "tokens": tokens, "changed": [False] * rows, "low": 0.0, "high": 1.0}

    panel = alone.show(scope, width=width, _shown=shown, _values=values, _title="organisation/" + "long-name-" * 9)

    assert the_map(panel).locator("canvas").evaluate("c => [c.height, c.width]") == [rows, columns]
    assert the_map(panel).bounding_box()["width"] >= columns
    assert alone.page.evaluate(OUTSIDE) == []
    assert alone.page.evaluate(TOUCHING, ".gnb-rows .gnb-place") == 0
    assert alone.page.evaluate(TOUCHING, ".gnb-under .gnb-place") == 0


def test_texts_are_text_and_never_markup(alone: Alone, scope: SparsityScope) -> None:
    rows, columns = scope.value.shape
    shown = {**scope._shown, "parts": [HOSTILE] * rows, "tokens": [HOSTILE] * columns, "defined": HOSTILE}

    panel = alone.show(scope, _shown=shown, _title=HOSTILE, _error=HOSTILE, _progress=HOSTILE, prompt=HOSTILE)

    expect(panel.locator(".gnb-error")).to_have_text(HOSTILE)
    expect(panel.locator(".gnb-legend")).to_contain_text(HOSTILE)
    assert panel.locator("img").count() == 0
    assert alone.page.evaluate("document.body.id") == ""


def test_a_message_of_96_layers_by_1024_tokens_is_one_picture(
    alone: Alone, scope: SparsityScope, record_property: Callable[[str, object], None]
) -> None:
    """Names, map, line plot and legend; two traits of one message are drawn once."""
    values = np.linspace(0, 1, 96 * 1024, dtype=np.float32)
    tokens = [f" token{i}" for i in range(1024)]
    shown = {**scope._shown, "parts": [f"layer_{i}" for i in range(96)], "tokens": tokens, "changed": [False] * 96}
    panel = alone.show(scope, _shown={**shown, "low": 0.0, "high": 1.0}, _values=values.tobytes())

    told = alone.page.evaluate(UPDATE)

    record_property("milliseconds of a whole update, 96 x 1,024", round(sorted(told["times"])[5], 1))
    print(
        f"\n96 x 1,024, a whole update: median {sorted(told['times'])[5]:.1f} ms, slowest {max(told['times']):.1f} ms"
    )
    assert told["drawn"] == len(told["times"])
    expect(panel.locator(".gnb-legend")).to_contain_text("11.000")


def test_a_screen_reader_meets_named_controls(alone: Alone, scope: SparsityScope) -> None:
    expect(alone.show(scope)).to_match_aria_snapshot("""
      - region "Scope of showroom":
        - textbox "Prompt": Once upon a time
        - 'button "Start: Read the prompt and write on"': Start
        - button "Stop for good; what is shown stays" [disabled]: Stop
        - combobox "Statistic":
          - option "sparsity" [selected]
        - slider "Threshold in standard deviations of a token"
        - spinbutton "New tokens at most": "12"
        - application /6 parts by \\d+ tokens, output on top/
        - status: /layer_5 at \\d+/
        - button "Download the picture as PNG": PNG
        - button "Download the picture as SVG": SVG
        - button "Download every number as CSV": CSV
    """)


DARK = "--jp-layout-color1: #111; --jp-ui-font-color1: #eee; --jp-ui-font-color2: #aaa; --jp-border-color1: #555"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_its_pictures_are_kept(alone: Alone, garage: Garage, theme: str) -> None:
    garage.scale("layer_2", 0.4)
    made = SparsityScope(garage, "Alice has a red ball and Bob has a blue ball .", tokens=18)
    assert made.wait(30)

    panel = alone.show(made, width=760)
    if theme == "dark":
        alone.page.evaluate(f"document.body.style.cssText = '{DARK}; background: #111'")
        alone.page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    the_map(panel).focus()
    alone.page.keyboard.press("ArrowDown")
    with Image.open(alone.picture(panel, f"scope_{theme}")) as image:
        mean = np.asarray(image.convert("L")).mean()

    assert mean > 170 if theme == "light" else mean < 90
    garage.reset()
    made.close()
