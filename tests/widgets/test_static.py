"""The modules are plain, small and closed: no dependency, no request, no markup made from data."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from garage_nb.widgets.assets import STATIC, script, sheet

FILES = sorted(path.name for path in STATIC.iterdir())
MODULES = [name for name in FILES if name.endswith(".js") and name != "panel.js"]
MARKUP = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write")
REACHING = ("http", "//", "fetch(", "import(", "import {", "eval(", "Function(")


def test_the_picker_and_the_shared_files_are_there() -> None:
    assert set(FILES) >= {"panel.css", "panel.js", "picker.js"}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_small_and_says_render(name: str) -> None:
    text = script(name)

    assert len(text.encode()) < 30_000
    assert text.count("export default") == 1


@pytest.mark.parametrize("name", FILES)
def test_no_file_reaches_out_or_makes_markup(name: str) -> None:
    text = re.sub(r"//.*", "", (STATIC / name).read_text(encoding="utf-8"))

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
