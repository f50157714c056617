"""Directions that others saved are steered by where they belong, and what we save others can read."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from garage_nb.core.batch import prepare
from garage_nb.core.run import logits
from garage_nb.errors import EditError, GarageError, RecipeFileError, UnknownPartError
from garage_nb.inject.borrowed.door import borrow
from garage_nb.inject.borrowed.steering import save_directions
from garage_nb.inject.edits import Add, Scale, Steer
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from tests.analyze.naive import hooked
from tests.families import HIDDEN, prompt, tiny
from tests.inject.borrowed.files import gguf, sae_folder


@pytest.fixture(scope="module")
def spec() -> Any:
    return spec_of(tiny("llama"))


def drawn(seed: int, width: int = HIDDEN) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(width).astype("float32")


ONE, TWO = drawn(1), drawn(2)


def as_safetensors(path: Path, **named: np.ndarray) -> Path:
    save_file({name: torch.from_numpy(numbers) for name, numbers in named.items()}, path)
    return path


def files(folder: Path) -> dict[str, Path]:
    """The same two directions, of blocks 1 and 2, in every form there is."""
    (folder / "b.gguf").write_bytes(gguf({"direction.1": ONE, "direction.2": TWO}))
    svec = {
        "model_type": "llama",
        "directions": {"1": ONE.tolist(), "2": TWO.tolist()},
        "explained_variances": {"1": 0.5},
    }
    (folder / "c.svec").write_text(json.dumps(svec))
    return {
        "by direction": as_safetensors(folder / "a.safetensors", **{"direction.1": ONE, "direction.2": TWO}),
        "by layer": as_safetensors(folder / "d.safetensors", layer_1=ONE, layer_2=TWO),
        "by path": as_safetensors(folder / "e.safetensors", **{"model.layers.1": ONE, "blocks.2.hook_resid_post": TWO}),
        "by another name": (folder / "b.gguf").rename(folder / "b.bin"),
        "svec": folder / "c.svec",
    }


FORMS = ["by direction", "by layer", "by path", "by another name", "svec"]
EXPECTED = Recipe((Steer("layer_1", torch.from_numpy(ONE), 2.0), Steer("layer_2", torch.from_numpy(TWO), 2.0)))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_recipe(tmp_path: Path, spec: Any, form: str) -> None:
    assert borrow(files(tmp_path)[form], spec, strength=2.0) == EXPECTED


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral", "gemma2"])
def test_in_a_model_it_is_added_to_what_leaves_the_block(tmp_path: Path, family: str) -> None:
    model = tiny(family)
    recipe = borrow(files(tmp_path)["by another name"], spec_of(model), at="layer_2", strength=3.0)

    found = logits(model, prepare(prompt(), model), recipe.taps(spec_of(model)))
    with hooked(model, "layer_2", lambda hidden: hidden + 3 * torch.from_numpy(TWO)), torch.no_grad():
        expected = model(prompt()).logits

    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_some_of_several_are_picked_and_a_single_one_is_put_anywhere(tmp_path: Path, spec: Any) -> None:
    several = files(tmp_path)["by direction"]
    single = as_safetensors(tmp_path / "s.safetensors", vector=ONE)

    assert borrow(several, spec, at="layer_2", strength=2) == Recipe(EXPECTED.edits[1:])
    assert [edit.at for edit in borrow(single, spec, at="attention_*")] == ["attention_0", "attention_1", "attention_2"]
    with pytest.raises(EditError, match=r"no direction for layer_0\.\nThere are: layer_1, layer_2"):
        borrow(several, spec, at="0,1")
    with pytest.raises(UnknownPartError, match="vector"):
        borrow(single, spec)


def test_they_are_put_in_the_order_of_the_blocks(tmp_path: Path) -> None:
    named = {f"direction.{block}": drawn(block) for block in (10, 2, 1)}

    recipe = borrow(as_safetensors(tmp_path / "x.safetensors", **named), spec_of(tiny("llama", layers=11)))

    assert [edit.at for edit in recipe] == ["layer_1", "layer_2", "layer_10"]


@pytest.mark.parametrize("suffix", [".safetensors", ".gguf"])
def test_what_is_saved_comes_back(tmp_path: Path, spec: Any, suffix: str) -> None:
    one, two = map(torch.from_numpy, (ONE, TWO))
    recipe = Recipe((Steer("layer_1", one, 0.5), Add("model.layers.2", two.double()), Steer("layer_-1", one, -1.5)))

    back = borrow(save_directions(recipe, spec, tmp_path / f"deeper/mine{suffix}"), spec)

    assert back == Recipe((Steer("layer_1", 0.5 * one), Steer("layer_2", (two.double() - 1.5 * one.double()).float())))
    assert [file.name for file in (tmp_path / "deeper").iterdir()] == [f"mine{suffix}"]


def test_places_inside_a_block_are_saved_by_name(tmp_path: Path, spec: Any) -> None:
    recipe = Recipe((Steer("layer_0", torch.from_numpy(ONE)), Steer("attention_1.head_2", torch.ones(8))))

    file = save_directions(recipe, spec, tmp_path / "mine.safetensors")

    assert set(load_file(file)) == {"direction.0", "attention_1.head_2"}
    assert borrow(file, spec) == Recipe(recipe.edits[::-1])


def test_a_control_vector_is_written_to_the_letter(tmp_path: Path, spec: Any) -> None:
    """Against the reader of the other test file's writer, and byte by byte but for the entries that are there."""
    file = save_directions(Recipe((Steer("layer_2", torch.from_numpy(TWO)),)), spec, tmp_path / "mine.gguf")
    raw = file.read_bytes()

    assert raw[:8] == b"GGUF\x03\0\0\0"
    assert raw[-4 * HIDDEN :] == TWO.tobytes()
    assert len(raw) % 32 == 0
    for words in (b"controlvector.model_hint", b"controlvector.layer_count", b"direction.2", b"llama"):
        assert words in raw


@pytest.mark.parametrize(("recipe", "name", "message"), [
    (Recipe((Scale("layer_1", 2),)), "x.safetensors", "adds no one direction to all tokens"),
    (Recipe((Add("layer_1", 2),)), "x.safetensors", "adds no one direction to all tokens"),
    (Recipe((Add("layer_1", torch.ones(1)),)), "x.safetensors", "adds no one direction"),
    (Recipe((Steer("layer_1", torch.ones(HIDDEN), tokens="-1"),)), "x.gguf", "adds no one direction"),  # type: ignore[arg-type]
    (Recipe(), "x.safetensors", "steers nothing"),
    (Recipe((Steer("layer_1", torch.ones(HIDDEN)),)), "x.json", "is no file of directions"),
    (Recipe((Steer("layer_0", torch.ones(HIDDEN)),)), "x.gguf", "has nothing for layer_0"),
    (Recipe((Steer("ffn_1", torch.ones(HIDDEN)),)), "x.gguf", "has nothing for ffn_1"),
])  # fmt: skip
def test_a_recipe_that_does_more_is_not_saved(
    tmp_path: Path, spec: Any, recipe: Recipe, name: str, message: str
) -> None:
    with pytest.raises(EditError, match=message) as caught:
        save_directions(recipe, spec, tmp_path / name)

    assert str(caught.value).count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path: Path, spec: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    old = save_directions(EXPECTED, spec, tmp_path / "mine.gguf").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RecipeFileError, match="cannot be written: No space left"):
            save_directions(Recipe(EXPECTED.edits[:1]), spec, tmp_path / "mine.gguf")

    assert [file.read_bytes() for file in tmp_path.iterdir()] == [old]


def test_another_width_is_refused_naming_both(tmp_path: Path, spec: Any) -> None:
    file = as_safetensors(tmp_path / "x.safetensors", layer_1=drawn(1, 16))

    with pytest.raises(EditError, match=r"\(16,\) does not fit layer_1, which is 32 wide"):
        borrow(file, spec)
    with pytest.raises(UnknownPartError, match="layer_7"):
        borrow(as_safetensors(tmp_path / "y.safetensors", **{"direction.7": ONE}), spec)


def test_options_of_the_other_kind_are_refused(tmp_path: Path, spec: Any) -> None:
    with pytest.raises(EditError, match="has directions, no features"):
        borrow(files(tmp_path)["svec"], spec, features="3=2")


def refused(path: Path, spec: Any, message: str) -> None:
    with pytest.raises(RecipeFileError, match=message) as caught:
        borrow(path, spec)
    assert str(caught.value).count("\n") == 1


GGUFS: dict[str, tuple[bytes, str]] = {
    "another kind": (gguf({"direction.1": ONE}, kind="llama"), "is GGUF of 'llama', not of a controlvector"),
    "another version": (gguf({"direction.1": ONE}, version=1), "is not GGUF of version 2 or 3"),
    "half precision": (gguf({"direction.1": ONE}, dtype=1), "of kind 1 with 32 numbers"),
    "another name": (gguf({"token_embd": ONE}), "holds 'token_embd' of 1 dimensions"),
    "none": (gguf({}), "holds no directions"),
    "nothing": (gguf({"direction.1": ONE[:0]}), "with 0 numbers"),
    "not finite": (gguf({"direction.1": np.full(4, np.nan)}), "is no direction"),
    "twice": (gguf({"direction.1": ONE, "direction.2": TWO}).replace(b"direction.2", b"direction.1"), "or two of one"),
}


@pytest.mark.parametrize("case", GGUFS)
def test_a_gguf_that_is_no_control_vector_is_refused(tmp_path: Path, spec: Any, case: str) -> None:
    raw, message = GGUFS[case]
    (tmp_path / "x.gguf").write_bytes(raw)

    refused(tmp_path / "x.gguf", spec, message)


def test_a_gguf_cut_anywhere_is_refused(tmp_path: Path, spec: Any) -> None:
    whole, file = gguf({"direction.1": ONE, "direction.2": TWO}), tmp_path / "x.gguf"

    for length in range(4, len(whole)):
        file.write_bytes(whole[:length])
        refused(file, spec, "is cut short|no whole control vector")


def test_whatever_is_changed_in_a_gguf_it_is_a_recipe_or_refused(tmp_path: Path, spec: Any) -> None:
    """Lengths, counts and offsets among it: none is believed."""
    whole, rng, file = gguf({"direction.1": ONE, "direction.2": TWO}), random.Random(0), tmp_path / "x.gguf"
    head = len(whole) - 8 * HIDDEN

    for _ in range(1500):
        at, width = rng.randrange(4, head), rng.choice([1, 1, 4, 8])
        file.write_bytes(
            whole[:at] + rng.choice([bytes(width), b"\xff" * width, rng.randbytes(width)]) + whole[at + width :]
        )
        try:
            made: object = borrow(file, spec)
        except GarageError as error:
            made = error
        assert isinstance(made, Recipe) or str(made).count("\n") == 1


@pytest.mark.parametrize(("said", "message"), [
    ({"directions": {"1": [1, "a"]}}, "'1' of .* is no direction of a block"),
    ({"directions": {"1": [True] * 32}}, "is no direction of a block"),
    ({"directions": {"one": [1.0]}}, "'one' of .* is no direction of a block"),
    ({"directions": {"1": [[1.0]]}}, "is no direction of a block"),
    ({"directions": {"1": []}}, "is no direction"),
    ({"directions": {"1": [1e400]}}, "is no direction"),
    ({"directions": {"1": [10**400]}}, "beyond all bounds"),
    ({"directions": {"1": [1.0], "01": [1.0]}}, "or two of one block"),
    ({"directions": {}}, "holds no directions"),
    ({"directions": [1]}, "is no svec"),
    ({"directions": {}, "code": "x"}, "is no svec: it has code, directions"),
])  # fmt: skip
def test_an_svec_that_says_something_else_is_refused(tmp_path: Path, spec: Any, said: Any, message: str) -> None:
    (tmp_path / "x.svec").write_text(json.dumps(said))

    refused(tmp_path / "x.svec", spec, message)


@pytest.mark.parametrize(("tensors", "message"), [
    ({"layer_1": torch.ones(2, 16)}, "is no direction: torch.float32"),
    ({"layer_1": torch.ones(32, dtype=torch.int64)}, "is no direction: torch.int64"),
    ({"layer_1": torch.full((32,), torch.inf)}, "is no direction"),
    ({"layer_1": torch.ones(32), "direction.1": torch.ones(32)}, "or two of one block"),
])  # fmt: skip
def test_tensors_that_are_no_directions_are_refused(
    tmp_path: Path, spec: Any, tensors: dict[str, Tensor], message: str
) -> None:
    save_file(tensors, tmp_path / "x.safetensors")

    refused(tmp_path / "x.safetensors", spec, message)


def test_two_names_of_one_place_are_refused(tmp_path: Path, spec: Any) -> None:
    file = as_safetensors(tmp_path / "x.safetensors", **{"layer_1": ONE, "model.layers.1": TWO})

    with pytest.raises(EditError, match="are of one place"):
        borrow(file, spec)


def test_whatever_else_is_there_is_named(tmp_path: Path, spec: Any) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter/adapter_config.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("steer left")
    (tmp_path / "other.json").write_text('{"a": {"b": 1}}')
    (tmp_path / "half").mkdir()
    sae_folder(tmp_path / "half", "standard").joinpath("cfg.json").unlink()

    refused(tmp_path / "adapter", spec, "is an adapter of PEFT")
    refused(Recipe((Scale("layer_0", 2),)).save(tmp_path / "mine.json"), spec, "is a recipe.\nPut it in force")
    refused(tmp_path / "notes.txt", spec, "neither directions nor an autoencoder")
    refused(tmp_path / "other.json", spec, "neither directions nor an autoencoder")
    refused(tmp_path / "half", spec, "holds sae_weights.safetensors")
    refused(tmp_path / "gone", spec, "There is no .*gone")


def test_a_recipe_of_borrowed_directions_is_kept_like_any(tmp_path: Path, spec: Any) -> None:
    recipe = borrow(files(tmp_path)["svec"], spec)

    assert Recipe.load(recipe.save(tmp_path / "recipe")) == recipe
