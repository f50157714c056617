"""What holds for every widget, in a real JupyterLab: keys, names, themes, and one of a kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Locator, expect

from garage_nb.widgets.named import NAMED

from .labpage import Notebook

PANELS = [name for name in NAMED if name not in ("dashboard", "ping")]
PROMPTED = [name for name in PANELS if name not in ("picker", "composer")]
SETUP = "%load_ext garage_nb\ngarage = %garage load showroom"
ARGUMENTS = {name: ' "The capital of France is"' if name in PROMPTED else "" for name in PANELS}
CELLS = [SETUP, *(f"%garage show {name}{ARGUMENTS[name]}" for name in PANELS)]
FOCUSABLE = "node => node.tabIndex >= 0 && !node.disabled && node.checkVisibility({ visibilityProperty: true })"
UNSAFE = f"""panel => [...panel.querySelectorAll('*')].filter({FOCUSABLE})
  .filter(node => node.dataset.lmSuppressShortcuts !== 'true').map(node => node.outerHTML.slice(0, 80))"""
COUNT = f"panel => [...panel.querySelectorAll('*')].filter({FOCUSABLE}).length"
RINGED = """() => { const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1; }"""
INSIDE = "panel => panel.contains(document.activeElement)"

# Texts whose colour stands out from what is behind them by less than 4 to 1, but for what cannot be used.
FAINT = """panel => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const over = (grounds, colour) => { context.clearRect(0, 0, 1, 1);
    for (const one of [...grounds, colour]) { context.fillStyle = one; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); };
  const light = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const grounds = node => { const found = [];
    for (let one = node; one; one = one.parentElement) found.unshift(getComputedStyle(one).backgroundColor);
    return ['white', ...found]; };
  const idle = ':disabled, [aria-disabled=true], option';
  const shown = node => node.checkVisibility({ visibilityProperty: true }) && !node.closest(idle);
  const said = node => [...node.childNodes].some(one => one.nodeType === 3 && one.textContent.trim());
  const texts = [...panel.querySelectorAll('*')].filter(node => shown(node) &&
    (said(node) || ['text', 'textarea'].includes(node.type)));
  return texts.map(node => { const behind = grounds(node);
    const pair = [getComputedStyle(node).color, 'transparent'].map(colour => light(over(behind, colour)));
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    return [ratio, node.className, (node.value || node.textContent).slice(0, 30)];
  }).filter(([ratio]) => ratio < 4); }"""

Open = Callable[..., AbstractContextManager[Notebook]]


@pytest.fixture(scope="module")
def notebook(open_notebook: Open) -> Iterator[Notebook]:
    with open_notebook("every", CELLS) as notebook:
        assert notebook.run_all() is True
        yield notebook


@pytest.fixture(params=PANELS)
def panel(request: pytest.FixtureRequest, notebook: Notebook) -> Locator:
    panel = notebook.cell(1 + PANELS.index(request.param)).locator(".gnb")
    expect(panel).to_be_visible()
    panel.scroll_into_view_if_needed()
    return panel


def cells(notebook: Notebook) -> int:
    return notebook.panel.locator(".jp-Cell").count()


def test_the_keyboard_reaches_every_control_shows_where_it_is_and_deletes_no_cell(
    notebook: Notebook, panel: Locator
) -> None:
    assert panel.evaluate(UNSAFE) == []
    before, count = cells(notebook), panel.evaluate(COUNT)
    panel.evaluate(f"panel => [...panel.querySelectorAll('*')].find({FOCUSABLE}).focus()")

    reached = 0
    while panel.evaluate(INSIDE):
        reached += 1
        notebook.page.keyboard.press("Shift")  # the keyboard is in use: a ring is shown
        assert notebook.page.evaluate(RINGED), notebook.page.evaluate("document.activeElement.outerHTML.slice(0, 120)")
        if notebook.page.evaluate("!['INPUT', 'TEXTAREA'].includes(document.activeElement.tagName)"):
            notebook.page.keyboard.press("d")
            notebook.page.keyboard.press("d")
        notebook.page.keyboard.press("Tab")

    assert reached == count
    assert count >= 2
    assert cells(notebook) == before


def test_every_control_has_a_name(panel: Locator) -> None:
    nameless = [
        one.evaluate("node => node.outerHTML.slice(0, 80)")
        for role in ("button", "slider", "textbox", "combobox", "checkbox")
        for one in panel.get_by_role(role).all()  # type: ignore[arg-type]
        if not one.evaluate("node => node.getAttribute('aria-label') || node.labels?.length || node.textContent.trim()")
    ]

    assert nameless == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_every_text_can_be_read_in_both_themes(notebook: Notebook, panel: Locator, theme: str) -> None:
    notebook.theme(theme)
    panel.scroll_into_view_if_needed()
    notebook.page.mouse.move(0, 0)
    picture = notebook.picture(panel, f"{panel.evaluate('node => node.classList[1]')}-{theme.lower()}")
    ground = ImageStat.Stat(Image.open(picture).convert("L")).median[0]

    assert ground > 200 if theme == "Light" else ground < 60
    assert panel.evaluate(FAINT) == []


def test_a_theme_changes_colours_and_nothing_else(notebook: Notebook, panel: Locator) -> None:
    pictures = []
    for theme in ("Light", "Dark", "Light"):
        notebook.theme(theme)
        panel.scroll_into_view_if_needed()
        notebook.page.mouse.move(0, 0)
        pictures.append(Image.open(notebook.picture(panel, "theme")).convert("RGB"))

    light, dark, again = pictures
    assert light.size == dark.size
    moved = max(high for _, high in ImageChops.difference(light, again).getextrema())
    assert moved <= 8  # of 255: a smooth scale is dithered anew
    apart = ImageChops.difference(light, dark).convert("L").point(lambda value: 255 * (value > 0))
    assert ImageStat.Stat(apart).mean[0] > 0.4 * 255  # all but the colours that mean an amount


def test_there_is_one_of_each_and_a_second_look_at_it_shows_the_same(notebook: Notebook) -> None:
    living = "len([one for one in gc.get_objects() if type(one).__name__ == 'TuningBench' and one.comm is not None])"
    for _ in range(3):
        notebook.command("notebook:run-all-cells")

    assert notebook.python(f"import gc; print({living})") == "1"
