"""Parts in the colours of a statistic: readable, named, and with a legend."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from garage_nb.registry.specs import ModelSpec
from garage_nb.view.scale import contrast
from garage_nb.widgets import LayerPicker

from .labpage import Alone
from .pickerpage import OUTSIDE, OVERLAPS, colour, opener, part

Specs = Callable[..., ModelSpec]

HOSTILE = '<img src=x onerror="document.body.id=1">'
THEMES = {
    "light": "--jp-ui-font-color1:#222;--jp-ui-font-color2:#666;--jp-layout-color1:#fff;--jp-border-color1:#bdbdbd",
    "dark": "--jp-ui-font-color1:#eee;--jp-ui-font-color2:#aaa;--jp-layout-color1:#111;--jp-border-color1:#616161",
}


def shaded(spec: ModelSpec, *, signed: bool = False, **options: Any) -> LayerPicker:
    picker = LayerPicker(spec, **options)
    shift = 0.0 if signed else 1.0
    heads = {f"attention_{i}.head_{j}": shift + math.sin(i + 2 * j) for i in range(spec.num_layers) for j in range(4)}
    layers = {f"{kind}_{i}": shift + math.cos(i) for i in range(spec.num_layers) for kind in ("layer", "ffn")}
    picker.shade({**heads, **layers, "layer_norm_1_ffn": 0.5}, "effect on the answer")
    return picker


def hexed(text: str) -> str:
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", text)[:3])


def test_a_part_has_its_colour_its_number_and_its_words(alone: Alone, spec: Specs) -> None:
    picker = shaded(spec(5))
    panel = alone.show(picker)
    text, tint, ink = picker._shade["parts"]["ffn_3"]
    node = part(panel, "ffn_3:")

    assert (hexed(colour(node, "backgroundColor")), hexed(colour(node, "color"))) == (tint, ink)
    expect(node.locator(".gnb-figures")).to_have_text(text)
    expect(node).to_have_accessible_name(f"ffn_3: 32 wide, 128 inside, effect on the answer {text}")
    assert hexed(colour(part(panel, "attention_3:"), "backgroundColor")) != tint


def test_heads_are_a_strip_on_their_part_and_cells_of_their_own_when_open(alone: Alone, spec: Specs) -> None:
    picker = shaded(spec(5))
    panel = alone.show(picker)
    strip = colour(part(panel, "attention_3:"), "backgroundImage")
    tints = [picker._shade["parts"][f"attention_3.head_{i}"][1] for i in range(4)]
    assert [hexed(each) for each in re.findall(r"rgb\([^)]*\)", strip)][::2] == tints

    opener(panel, "layer_3").click()

    assert hexed(colour(part(panel, "attention_3.head_2:"), "backgroundColor")) == tints[2]


@pytest.mark.parametrize("signed", [False, True])
def test_every_label_can_be_read_on_its_colour(alone: Alone, spec: Specs, signed: bool) -> None:
    panel = alone.show(shaded(spec(5), signed=signed))
    for name in ("layer_1", "layer_3"):
        opener(panel, name).click()

    cells = panel.locator(".gnb-shaded:not(.gnb-layer_norm)").all()
    pairs = [(hexed(colour(cell, "color")), hexed(colour(cell, "backgroundColor"))) for cell in cells]
    assert len(pairs) == 10 + 8
    assert min(contrast(ink, ground) for ink, ground in pairs) >= 4.5


def test_the_legend_defines_the_number_and_goes_with_the_colours(alone: Alone, spec: Specs) -> None:
    picker = shaded(spec(5))
    panel = alone.show(picker)
    low, high = picker.shading.ends
    key = panel.locator(".gnb-key")
    expect(key).to_have_text(f"effect on the answer{low}{high}")

    alone.get("model.set('_shade', {})")

    expect(key).to_be_empty()
    expect(panel.locator(".gnb-shaded")).to_have_count(0)
    expect(part(panel, "ffn_3:").locator(".gnb-figures")).to_have_text("128")
    assert colour(part(panel, "attention_3:"), "backgroundImage") == "none"


def test_picked_and_changed_are_seen_over_any_colour(alone: Alone, spec: Specs) -> None:
    panel = alone.show(shaded(spec(5), value="ffn_3", changed="ffn_2"))
    picked, changed, plain = (part(panel, f"ffn_{i}:") for i in (3, 2, 1))

    assert [colour(node, "outlineStyle") for node in (picked, plain)] == ["solid", "none"]
    assert colour(changed, "borderColor") == colour(panel.locator(".gnb-count"), "color")
    assert hexed(colour(picked, "backgroundColor")) == alone.get("model.get('_shade')")["parts"]["ffn_3"][1]


def test_texts_of_a_shade_are_never_markup(alone: Alone, spec: Specs) -> None:
    shade = {**shaded(spec(2))._shade, "told": HOSTILE, "short": HOSTILE, "ends": [HOSTILE, HOSTILE]}
    shade["parts"] = {"ffn_1": [HOSTILE, "red;} * { display: none", HOSTILE]}
    panel = alone.show(LayerPicker(spec(2)), _shade=shade)

    expect(panel.locator(".gnb-key")).to_contain_text(HOSTILE)
    assert panel.locator("img").count() == 0
    assert alone.page.evaluate("document.body.id") == ""


@pytest.mark.parametrize("width", [280, 520, 1000])
def test_nothing_overlaps_or_sticks_out(alone: Alone, spec: Specs, width: int) -> None:
    panel: Locator = alone.show(shaded(spec(40), signed=True), width=width)
    opener(panel, "layer_38").click()

    assert alone.page.evaluate(OVERLAPS) == 0
    assert alone.page.evaluate(OUTSIDE) == 0


@pytest.mark.parametrize("theme", THEMES)
def test_its_pictures_are_kept(alone: Alone, spec: Specs, theme: str) -> None:
    alone.page.evaluate(
        "([theme, light]) => { document.body.style.cssText = theme; document.body.dataset.jpThemeLight = light }",
        [
            THEMES[theme] + f";background:{'#fff' if theme == 'light' else '#111'};--jp-brand-color1:#2196f3",
            str(theme == "light").lower(),
        ],
    )
    panel = alone.show(shaded(spec(5), value="attention_3.head_1,ffn_1,attention_1.head_0", changed="ffn_2"))
    opener(panel, "layer_3").click()
    alone.page.mouse.move(0, 0)

    file = alone.picture(panel, f"picker_shaded_{theme}")

    assert file.stat().st_size > 10_000
