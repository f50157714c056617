"""Specs to choose parts from, and the words of a line as a test writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from garage_nb.offers import Scene, offers, outlined
from garage_nb.registry.models import spec_of
from tests.families import tiny

Ask = Callable[..., list[str]]


@pytest.fixture(scope="session")
def llama() -> Any:
    return spec_of(tiny("llama"), "llama")


@pytest.fixture
def ask(llama: Any) -> Ask:
    """`ask("scale", "lay")`: what is offered for the last word."""

    def texts(*words: Any, **scene: Any) -> list[str]:
        *before, word = words
        return [offer.text for offer in offers(before, word, Scene(outlined(), **{"spec": llama, **scene}))[1]]

    return texts
