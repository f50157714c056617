"""One spec and an empty store, for the tests of what is filed."""

from __future__ import annotations

from pathlib import Path

import pytest

from garage_nb.registry.decompose import spec_of
from garage_nb.registry.specs import ModelSpec
from garage_nb.registry.store import SpecStore
from tests.families import tiny


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return spec_of(tiny("llama", layers=1), "llama")


@pytest.fixture
def store(tmp_path: Path) -> SpecStore:
    return SpecStore(tmp_path / "specs")
