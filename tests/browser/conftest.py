"""Chromium, JupyterLab and the two kinds of page. Without Chromium these tests are skipped, and say so.

Pictures go to `build/screenshots`. Set GARAGE_CHROMIUM to use another browser.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from garage_nb.registry.models import ModelSpec, spec_of

from ..families import tiny
from .labpage import Alone, Notebook
from .labserver import Lab, running

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("GARAGE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
PAINT = ["--force-color-profile=srgb", "--font-render-hinting=none"]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *PAINT]
COMMS = "@jupyterlab/apputils-extension/kernels-settings"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def spec() -> Callable[..., ModelSpec]:
    """The spec of a tiny model with that many layers; a GPT-2 when no type is said."""
    return cache(lambda layers, model_type="gpt2": spec_of(tiny(model_type, layers), "tiny"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("Chromium is missing: apt-get install -y --no-install-recommends chromium, or set GARAGE_CHROMIUM")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def lab(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def alone(browser: Any) -> Iterator[Alone]:
    """A blank page for one widget's own module."""
    page = Alone(browser)
    yield page
    page.finish()


@pytest.fixture(scope="session")
def open_notebook(browser: Any, lab: Lab) -> Callable[..., AbstractContextManager[Notebook]]:
    """Open cells as a notebook; `comms="disabled"` runs widget callbacks on the kernel's main thread, as Colab does."""

    @contextmanager
    def open_(name: str, cells: list[str], comms: str = "perCommTarget") -> Iterator[Notebook]:
        lab.set(COMMS, {"commsOverSubshells": comms})
        notebook = Notebook(browser, lab, name, cells)
        yield notebook
        notebook.finish()

    return open_
