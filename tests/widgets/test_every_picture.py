"""Static truth: what every widget leaves in a notebook, an export and a page of its own, where no kernel runs."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat.v4 as v4
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter, MarkdownExporter

from garage_nb import Garage
from garage_nb.plain import one_line
from garage_nb.widgets.named import NAMED
from garage_nb.widgets.panel import Panel

from ..hostile import TEXTS, garage_named
from .messages import PROMPT
from .test_every_widget import opened

READERS = ["bench", "scope", "attention", "lens", "debate", "dashboard"]
PANELS = [name for name, panel in NAMED.items() if isinstance(panel, type) and issubclass(panel, Panel)]
TOLD = {  # what can be there only if the model was asked
    "picker": ["attention_5: 4 heads of 32, 128 wide"],
    "bench": ["KL(untouched ‖ tuned) = ", " Paris", "0.993"],
    "scope": ["sparsity", "<rect"],
    "attention": ["attention_0.head_3", "data:image/png"],
    "lens": ["layer_5", "0.993"],
    "debate": ["perspective 1", " Paris", "no gate"],
    "dashboard": ["attention_5: 4 heads of 32, 128 wide", "KL(untouched ‖ tuned) = ", "<rect"],
    "composer": ["attention_5: 4 heads of 32, 128 wide", "the whole", "GPT2LMHeadModel"],
    "ping": [],
}
REACHING = re.compile(
    r"""https?:|<script|<link|<iframe|@import|url\(|(?:src|href)=["'](?!data:|#)|\son\w+=""", re.IGNORECASE
)
FIXED_INK = re.compile(r"""(?:[ ;"]color|[ ;"]background(?:-color)?): ?(?:#(?!b87300)|white|black|rgb)""")
XMLNS = 'xmlns="http://www.w3.org/2000/svg"'


@pytest.fixture(scope="module")
def garage() -> Garage:
    return Garage("showroom")


def bundle(widget: Any) -> dict[str, Any]:
    shown = widget._repr_mimebundle_()
    data: dict[str, Any] = shown[0] if isinstance(shown, tuple) else shown
    return data


class Elements(HTMLParser):
    """Tags and the names of attributes, and all that can be read: text, titles and other words for a reader."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            self.names.add(name)
            self.words += f" {value}" if name in ("title", "aria-label", "alt") else ""

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("name", NAMED)
def test_the_bundle_has_a_live_view_a_picture_and_a_line_of_text(name: str, garage: Garage) -> None:
    data = bundle(opened(name, garage))

    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} <= set(data)
    assert [words for words in TOLD[name] if words not in data["text/html"]] == []
    assert "showroom" in data["text/plain"] or name == "ping"
    assert "\n" not in data["text/plain"]


@pytest.mark.parametrize("name", PANELS)
def test_its_page_needs_nothing_else_and_follows_light_and_dark(name: str, garage: Garage, tmp_path: Path) -> None:
    widget = opened(name, garage)

    page = widget.to_html(tmp_path / "page.html").read_text(encoding="utf-8").replace(XMLNS, "")

    assert page.startswith("<!doctype html>")
    assert REACHING.findall(page) == []
    assert FIXED_INK.findall(page) == []
    assert '<meta name="color-scheme" content="light dark">' in page
    assert [words for words in TOLD[name] if words not in page] == []


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", READERS)
def test_a_hostile_prompt_and_model_name_are_text(name: str, text: str, garage: Garage) -> None:
    usual = Elements(bundle(opened(name, garage))["text/html"])

    widget = opened(name, garage_named(text), text, **{"tokens": 2} if name in ("bench", "scope") else {})

    shown = bundle(widget)
    found = Elements(shown["text/html"])
    assert found.tags <= usual.tags | {"image"}
    assert found.names <= usual.names | {"title"}
    assert not any(name.startswith("on") for name in found.names)
    assert REACHING.findall(re.sub(r'"[^"]*"|>[^<]*<', "", shown["text/html"].replace(XMLNS, ""))) == []
    assert one_line(text)[:20] in found.words or one_line(repr(text))[:20] in found.words
    assert "\n" not in shown["text/plain"]
    widget.close()


@pytest.fixture(scope="module")
def executed() -> Any:
    """One notebook with every widget, run by a kernel and stored without the live state, as JupyterLab saves it."""
    cells = ["%load_ext garage_nb\n%garage load showroom"]
    cells += [f'%garage show {name} "{PROMPT}"' if name in READERS else f"%garage show {name}" for name in NAMED]
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3", store_widget_state=False).execute()
    return notebook


@pytest.mark.parametrize("exporter", [HTMLExporter, MarkdownExporter])
@pytest.mark.parametrize("name", NAMED)
def test_an_exported_notebook_shows_the_picture(name: str, exporter: Any, executed: Any) -> None:
    cell = executed.cells[1 + list(NAMED).index(name)]
    alone = v4.new_notebook(cells=[cell])

    page, _ = exporter().from_notebook_node(alone)

    assert [words for words in TOLD[name] if words not in page] == []
    assert "widget-view+json" not in page
