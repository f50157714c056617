"""What `register` files: by id and by anatomy, so that a model like one seen before is not probed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from garage_nb.core.loader import embedded
from garage_nb.errors import ModelNotFoundError, SpecFileError
from garage_nb.registry.decompose import _DECOMPOSERS, ModelDecomposer, spec_of, teach
from garage_nb.registry.models import ModelRegistry
from garage_nb.registry.specs import ModelSpec
from garage_nb.registry.store import Key, SpecStore
from tests.families import tiny


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path)


@contextmanager
def counted(model: nn.Module) -> Iterator[list[int]]:
    """One entry for every time the model runs inside the block."""
    runs: list[int] = []
    handle = model.register_forward_pre_hook(lambda *_: runs.append(1))
    try:
        yield runs
    finally:
        handle.remove()


def registered(registry: ModelRegistry, model_id: str, model: Any) -> tuple[ModelSpec, int]:
    """The spec, and how often the model ran for it."""
    with counted(model) as runs:
        spec = registry.register(model_id, model)
    return spec, len(runs)


def filed(folder: Path) -> list[Key]:
    return SpecStore(folder).keys()


def test_a_model_like_one_seen_before_is_not_run(tmp_path: Path, any_model: Any) -> None:
    first, runs = registered(ModelRegistry(tmp_path), "one", any_model)
    twin = tiny(any_model.config.model_type, seed=1)

    second, again = registered(ModelRegistry(tmp_path), "other", twin)

    assert (runs, again) == (1, 0)
    assert second == replace(first, model_id="other")
    assert ModelRegistry(tmp_path).get_spec("other") == second
    assert second.parts == spec_of(twin).parts


def test_ids_are_listed_and_anatomies_are_not(registry: ModelRegistry, tmp_path: Path) -> None:
    registry.register("one", tiny("llama", layers=1))
    registry.register("other", tiny("llama", layers=1, seed=1))

    assert registry.list_models() == ["one", "other"]
    assert [key.kind for key in filed(tmp_path)] == ["anatomy", "id", "id"]


def test_an_id_that_reads_as_an_anatomy_finds_nothing(registry: ModelRegistry, tmp_path: Path) -> None:
    registry.register("one", tiny("llama", layers=1))
    anatomy = filed(tmp_path)[0]

    with pytest.raises(ModelNotFoundError):
        registry.get_spec(anatomy.text)


class Words:
    def get_vocab(self) -> dict[str, int]:
        return {"x": 0}


def test_a_tokenizer_stays_with_its_own_model(registry: ModelRegistry) -> None:
    assert "tokenizer" in registry.register("one", tiny("llama"), Words()).extra_info
    assert "tokenizer" not in registry.register("other", tiny("llama", seed=1)).extra_info


def test_a_model_taken_apart_is_opened_anew(registry: ModelRegistry) -> None:
    """Under the same id too, and without touching what is known of the others."""
    model, twin = tiny("llama"), tiny("llama", seed=1)
    before, _ = registered(registry, "mine", model)
    del model.model.layers[1]

    after, runs = registered(registry, "mine", model)

    assert (before.num_layers, after.num_layers, runs) == (3, 2, 1)
    assert registry.get_spec("mine") == after
    assert registered(registry, "twin", twin) == (replace(before, model_id="twin"), 0)


def test_what_nan_hid_is_not_held_against_others(registry: ModelRegistry) -> None:
    broken = tiny("llama")
    with torch.no_grad():
        broken.model.layers[0].mlp.up_proj.weight.fill_(float("nan"))
    assert registry.register("broken", broken).parts["ffn_0"].unavailable

    spec, runs = registered(registry, "whole", tiny("llama"))

    assert (spec.parts["ffn_0"].unavailable, runs) == ("", 1)


class Taught(ModelDecomposer):
    def __init__(self, width: int) -> None:
        self.width = width

    def detect(self, model: Any) -> bool:
        return True

    def decompose(self, model: Any, model_id: str) -> ModelSpec:
        return replace(spec_of(model), model_id=model_id, hidden_dim=self.width)


def test_what_was_taught_is_asked_each_time(registry: ModelRegistry) -> None:
    registry.register("before", tiny("llama"))
    model = tiny("llama")
    spec_of(model)
    for width in (5, 6):
        teach(Taught(width))
        try:
            assert registry.register("mine", model).hidden_dim == width
        finally:
            del _DECOMPOSERS[0]

    assert registered(registry, "after", tiny("llama"))[0].hidden_dim == 32


# Damage and disks


def damage(folder: Path, kind: str) -> Path:
    """Cut the only file of this kind short."""
    path = next(SpecStore(folder).path(key) for key in filed(folder) if key.kind == kind)
    path.write_bytes(path.read_bytes()[:-20])
    return path


def test_a_damaged_id_says_so_until_it_is_registered_again(registry: ModelRegistry, tmp_path: Path) -> None:
    spec = registry.register("mine", tiny("llama"))
    registry.register("other", tiny("gpt2"))
    path = SpecStore(tmp_path).path(Key("id", "mine"))
    path.write_bytes(b"damaged")

    for _ in range(2):
        with pytest.raises(SpecFileError, match="'mine'") as caught:
            registry.get_spec("mine")
    assert f"{path.stem}.damaged" in caught.value.hint
    assert str(caught.value).count("\n") == 1
    assert registry.list_models() == ["other"]

    assert registered(registry, "mine", tiny("llama")) == (spec, 0)
    assert registry.get_spec("mine") == spec
    assert path.with_suffix(".damaged").read_bytes() == b"damaged"


def test_a_damaged_anatomy_is_worked_out_anew_and_kept(registry: ModelRegistry, tmp_path: Path) -> None:
    spec = registry.register("mine", tiny("llama"))
    path = damage(tmp_path, "anatomy")
    cut = path.read_bytes()

    assert registered(registry, "mine", tiny("llama")) == (spec, 1)
    assert registered(registry, "mine", tiny("llama")) == (spec, 0)
    assert path.with_suffix(".damaged").read_bytes() == cut


def test_a_damaged_embedded_model_is_opened_again(registry: ModelRegistry, tmp_path: Path) -> None:
    name = min(embedded())
    spec = registry.get_spec(name)
    path = damage(tmp_path, "id")

    assert registry.get_spec(name) == spec
    assert SpecStore(tmp_path).load(Key("id", name)) == spec
    assert path.with_suffix(".damaged").exists()


def test_a_model_that_cannot_be_stored_is_not_registered(tmp_path: Path) -> None:
    (tmp_path / "specs").write_text("mine")
    registry, model = ModelRegistry(tmp_path / "specs"), tiny("llama", layers=1)

    with pytest.raises(SpecFileError, match="cannot be written") as caught:
        registry.register("model", model)

    assert str(caught.value).count("\n") == 1
    assert registry.list_models() == []
    with pytest.raises(ModelNotFoundError, match="not in memory"):
        registry.get_module("model", "ffn_0")
    assert (tmp_path / "specs").read_text() == "mine"
