"""The modules are plain, small and closed: no dependency, no request, no markup made from data."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import combinations

import pytest

from garage_nb.widgets import SurveyView
from garage_nb.widgets.assets import STATIC, sheet
from garage_nb.widgets.named import NAMED
from garage_nb.widgets.panel import Panel

FILES = sorted(path.name for path in STATIC.iterdir())
PANELS = {name: made for name, made in {**NAMED, "survey": SurveyView}.items() if issubclass(made, Panel)}
FRAME, READING = ("panel.js", "panel.css"), ("tokens.js", "tokens.css")
SVG = "http://www.w3.org/2000/svg"  # a name that nothing is fetched by
MARKUP = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write")
REACHING = ("http", "//", "fetch(", "import(", "import {", "eval(", "Function(")


@pytest.mark.parametrize("name", PANELS)
def test_a_module_is_small_and_says_render(name: str) -> None:
    text = str(PANELS[name]._esm)

    assert len(text.encode()) < 30_000
    assert text.count("export default") == 1


def test_every_file_is_sent_by_some_widget() -> None:
    sent = "".join(f"{panel._esm}{panel._css}" for panel in PANELS.values())

    last = {name: (STATIC / name).read_text(encoding="utf-8").rstrip().splitlines()[-1] for name in FILES}
    assert [name for name, line in last.items() if line not in sent] == []


def test_no_two_widgets_have_a_class_in_common() -> None:
    """Sheets hold for the whole page, where several widgets stand; what they share is in files that they all send."""
    frame, reading = (classes("".join(map(read, names))) for names in (FRAME, READING))
    own = {name: classes(f"{panel._esm}{panel._css}") - frame for name, panel in PANELS.items()}
    own = {name: found - reading if read("tokens.css").splitlines()[-1] in PANELS[name]._css else found
           for name, found in own.items()} | {"tokens": reading - frame}  # fmt: skip

    assert [(a, b, own[a] & own[b]) for a, b in combinations(own, 2) if own[a] & own[b]] == []


def read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def classes(text: str) -> set[str]:
    return set(re.findall(r"(?<![-\w])gnb-\w[\w-]*", text))


@pytest.mark.parametrize("name", FILES)
def test_no_file_reaches_out_or_makes_markup(name: str) -> None:
    text = (STATIC / name).read_text(encoding="utf-8").replace(SVG, "")
    text = re.sub(r"//.*", "", text)

    assert [word for word in (*MARKUP, *REACHING) if word in text] == []


def test_every_style_is_scoped_to_our_classes() -> None:
    text = re.sub(r"/\*.*?\*/", "", sheet(), flags=re.DOTALL)
    selectors = [rule.strip() for rule in re.findall(r"([^{}]+)\{", text) if not rule.strip().startswith("@")]

    assert selectors
    assert [selector for selector in selectors if ".gnb" not in selector] == []


def test_importing_the_package_brings_in_no_widget() -> None:
    code = "import sys, garage_nb; print({'anywidget', 'ipywidgets', 'torch'} & set(sys.modules))"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.strip() == "set()"
