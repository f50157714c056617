"""A walk through a model finds what torch's own finds, in the same order, each once."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from garage_nb.core.walk import modules_of, tensors_of, weights_of
from tests.families import FAMILIES, tiny


def _ids(items: Any) -> list[int]:
    return [id(item) for item in items]


@pytest.mark.parametrize("family", FAMILIES)
def test_modules_weights_and_buffers_are_torchs(family: str) -> None:
    model = tiny(family)
    modules = modules_of(model)

    assert _ids(modules) == _ids(model.modules())
    assert _ids(weights_of(modules)) == _ids(model.parameters())
    assert sorted(_ids(tensors_of(modules))) == sorted(_ids([*model.parameters(), *model.buffers()]))


def test_what_stands_in_two_places_is_found_once() -> None:
    shared, tied = nn.Linear(2, 2), nn.Linear(2, 2)
    tied.weight = shared.weight
    model = nn.ModuleDict({"a": nn.Sequential(shared, shared), "b": nn.Sequential(tied, shared)})
    model["b"].register_module("absent", None)

    assert _ids(modules_of(model)) == _ids(model.modules())
    assert _ids(weights_of(modules_of(model))) == _ids(model.parameters())
