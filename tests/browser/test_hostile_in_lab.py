"""Hostile text in a real JupyterLab: shown letter by letter, with nothing run, fetched or set as mathematics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from PIL import Image, ImageStat
from playwright.sync_api import expect

from garage_nb.plain import one_line

from ..hostile import TEXTS
from .labpage import Notebook

SHOWN = {
    "generation": "garage.generate(text, tokens=6)",
    "comparison": "garage.compare(prompt=text)",
    "edits": "garage.through('layer_0', named(text))",
    "picture": "garage.compare(prompt=text).plot()",
    "spec": "Garage(garage.model, tokenizer=garage.tokenizer).spec",
}
CELLS = """
from IPython.display import HTML
from garage_nb import Garage
def named(text):
    def same(hidden): return hidden
    same.__name__ = text
    return same
garage = Garage("showroom")
garage.scale("layer_1", 0.5)
"""
CONTROL = 'HTML("<p>mathematics of a notebook\'s own: $x^2$</p>")'
WORDS = """area => [area.textContent, ...[...area.querySelectorAll('[alt],[title]')].flatMap(
  node => [node.getAttribute('alt'), node.getAttribute('title')])].join(' ')"""

Open = Callable[..., AbstractContextManager[Notebook]]


@pytest.fixture(scope="module")
def lab_page(open_notebook: Open) -> Iterator[tuple[Notebook, list[str]]]:
    """A cell a text and kind, a failing one a text, and last one whose mathematics the page does set."""
    cells = [
        f"text = {text!a}\ngarage.model.config._name_or_path = text\n{shown}"
        for text in TEXTS.values()
        for shown in SHOWN.values()
    ]
    said: list[str] = []
    with open_notebook("hostile", [CELLS, *cells, CONTROL]) as notebook:
        notebook.page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        assert notebook.run_all() is True
        notebook.cell(len(cells) + 1).locator("mjx-container").wait_for(timeout=30_000)
        yield notebook, said


def output(notebook: Notebook, name: str, kind: str) -> Any:
    place = 1 + list(TEXTS).index(name) * len(SHOWN) + list(SHOWN).index(kind)
    return notebook.cell(place).locator(".jp-OutputArea-output")


@pytest.mark.parametrize("kind", SHOWN)
@pytest.mark.parametrize("name", TEXTS)
def test_it_is_there_letter_by_letter(lab_page: tuple[Notebook, list[str]], name: str, kind: str) -> None:
    area = output(lab_page[0], name, kind)
    words = area.evaluate(WORDS)

    line = one_line(TEXTS[name])
    assert line in words or one_line(repr(TEXTS[name])) in words
    assert area.locator("mjx-container").count() == 0
    assert area.locator("script, b, a").count() == 0
    assert area.locator("img").count() == (kind == "picture")


def test_nothing_of_it_ran(lab_page: tuple[Notebook, list[str]]) -> None:
    assert lab_page[1] == []


@pytest.mark.parametrize("theme", ["Dark", "Light"])
def test_it_follows_the_theme_and_stays_in_its_place(lab_page: tuple[Notebook, list[str]], theme: str) -> None:
    notebook = lab_page[0]
    notebook.theme(theme)

    for kind in SHOWN:
        for name in ("mathematics", "word", "lines"):
            area = output(notebook, name, kind)
            area.scroll_into_view_if_needed()
            assert area.evaluate("area => area.scrollWidth <= area.clientWidth + 1")
            with Image.open(notebook.picture(area, f"hostile_{kind}_{name}_{theme.lower()}")) as image:
                brightness = ImageStat.Stat(image.convert("L")).mean[0]
            assert brightness > 200 if theme == "Light" else brightness < 80


def test_an_error_of_it_is_two_lines(lab_page: tuple[Notebook, list[str]]) -> None:
    notebook = lab_page[0]
    last = notebook.panel.locator(".jp-Cell").count() - 1

    notebook.python(f"text = {TEXTS['controls']!a}")
    said = notebook.python("garage.scale(text, 1)")

    assert said.count("\n") == 1
    assert said.startswith("UnknownPartError: ")
    assert r"\x1b[31mred" in said
    expect(notebook.cell(last).locator("mjx-container")).to_have_count(1)
