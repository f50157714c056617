"""A recipe on disk is the recipe, whole or refused."""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from garage_nb.core.sealed import canonical, digest
from garage_nb.errors import EditError, GarageError, RecipeFileError
from garage_nb.inject.ablate import Ablate
from garage_nb.inject.blades.edit import in_force
from garage_nb.inject.edit import Edit
from garage_nb.inject.edits import Add, Noise, Scale, Steer, Through
from garage_nb.inject.kinds import KINDS, edit_from
from garage_nb.inject.mask import Mask
from garage_nb.inject.patch import Patch
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.rounds import Debate
from garage_nb.inject.router import RouterBias
from garage_nb.inject.routing.experts import Experts
from garage_nb.inject.routing.isolate import Isolate
from garage_nb.inject.routing.reroute import Reroute
from garage_nb.inject.sae import Sae
from garage_nb.inject.saving import FORMAT
from garage_nb.inject.threshold import Threshold
from tests.inject.blades.making import EVIDENCE, bare

SPANS = ["all", "prompt", "generated", "not_first", "-1", "2:6", "0,3,-1", ":4"]
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64]


def draw(rng: random.Random, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(rng.randrange(1 << 30))
    return (torch.randn(shape, generator=generator) * 10).to(rng.choice(DTYPES))


def number(rng: random.Random) -> float:
    return rng.choice([0, 1, -3, rng.uniform(-2, 2), 1e-300, 1.7e308, 0.1 + 0.2])


MAKERS: list[Callable[[random.Random, dict[str, Any]], Edit]] = [
    lambda rng, how: Scale("layer_3", number(rng), **how),
    lambda rng, how: Add("ffn_1", number(rng), **how),
    lambda rng, how: Add("ffn_1", draw(rng, *rng.choice([(), (1,), (8,), (4, 8)])), **how),
    lambda rng, how: Steer("attention_1.head_2", draw(rng, 8), number(rng), **how),
    lambda rng, how: Noise("model.layers.3", rng.random(), rng.randrange(99), **how),
    lambda rng, how: Ablate("layer_-1", "zero", **how),
    lambda rng, how: Ablate("ffn_2.neurons", "mean", draw(rng, 5, 8), **how),
    lambda rng, how: Ablate("layer_0", "resample", draw(rng, 5, 8), rng.randrange(99), **how),
    lambda rng, how: Patch("layer_2", draw(rng, 5, 8), rng.choice(["all", "0", "1:3", "-1"]), **how),
    lambda rng, how: Mask("attention_1", drop=rng.sample(range(16), 3), **how),
    lambda rng, how: Mask("ffn_1", keep=f"{rng.randrange(4)}:9", **how),
    lambda rng, how: Threshold("ffn_1.neurons", abs(number(rng)), **how),
    lambda rng, how: Sae(
        "layer_1",
        *(torch.rand(shape) for shape in ((4, 8), (8,), (8, 4), (4,))),
        features={3: number(rng)},
        threshold=torch.rand(8),
        norm="layer_norm",
        error=rng.choice(["kept", "dropped"]),
        **how,
    ),
    lambda rng, how: in_force(
        bare(tensors={"direction": draw(rng, 32).float()}).measured(EVIDENCE), alpha=number(rng), **how
    ),
    lambda rng, how: RouterBias("gate_1", tuple(number(rng) for _ in range(4)), strength=number(rng), **how),
    lambda rng, how: Experts("gate_1", **{rng.choice(["keep", "drop"]): (rng.randrange(4), -1)}, **how),
    lambda rng, how: Isolate("gate_1", rng.randrange(4), **how),
    lambda rng, how: Reroute("gate_1", rng.choice(["uniform", "random", "anti"]), rng.randrange(9), **how),
    lambda rng, how: Debate("layer_1", "projection", "gated", rng.random() / 2, rng.randrange(9), **how),
]


def drawn_recipe(rng: random.Random) -> Recipe:
    edits = [rng.choice(MAKERS)(rng, {"tokens": rng.choice(SPANS)}) for _ in range(rng.randrange(8))]
    return Recipe(tuple(edits))


@pytest.mark.parametrize("seed", range(60))
def test_any_recipe_comes_back_as_it_was(tmp_path: Path, seed: int) -> None:
    recipe = drawn_recipe(random.Random(seed))

    place = recipe.save(tmp_path / rng_name(seed))
    loaded = Recipe.load(place)

    assert loaded == recipe
    assert str(loaded) == str(recipe)
    assert not list(tmp_path.rglob("*.tmp"))


def rng_name(seed: int) -> str:
    return ["mine.json", "deep/er/mine.json", "folder", "ünï code.json"][seed % 4]


def test_every_kind_is_drawn_and_every_kind_can_be_named() -> None:
    rng = random.Random(0)
    made = {maker(rng, {}).verb for maker in MAKERS}

    assert made | {"through"} == set(KINDS)
    assert all(kind.__name__ for kind in KINDS.values())


@pytest.mark.parametrize("maker", MAKERS)
def test_an_edit_goes_through_plain_json(maker: Any) -> None:
    edit = maker(random.Random(1), {"tokens": "0,-1"})

    data = json.loads(json.dumps(edit.to_json()))

    assert edit_from(data, edit.tensors()) == edit
    assert KINDS[data["edit"]] is type(edit)


def test_numbers_of_other_libraries_become_plain_ones(tmp_path: Path) -> None:
    recipe = Recipe((Scale("layer_0", np.float32(0.5)), Scale("layer_0", np.int64(3))))

    assert Recipe.load(recipe.save(tmp_path)) == recipe


def test_equal_tensors_are_stored_once(tmp_path: Path) -> None:
    direction = torch.randn(1000)
    recipe = Recipe(
        (Add("layer_0", direction), Steer("layer_1", direction.clone()), Add("layer_2", direction.double()))
    )

    recipe.save(tmp_path)

    (file,) = tmp_path.glob("*.safetensors")
    assert 12_000 < file.stat().st_size < 13_000


def test_saving_over_a_recipe_leaves_one_recipe(tmp_path: Path) -> None:
    for seed in (1, 2, 3, 3):
        Recipe((Add("layer_0", draw(random.Random(seed), 8)),)).save(tmp_path / "mine.json")
        assert len(list(tmp_path.iterdir())) == 2
    Recipe((Scale("layer_0", 2),)).save(tmp_path / "mine.json")

    assert [file.name for file in tmp_path.iterdir()] == ["mine.json"]


def test_two_recipes_in_one_folder_leave_each_other_alone(tmp_path: Path) -> None:
    one, other = (Recipe((Add("layer_0", draw(random.Random(seed), 8)),)) for seed in (1, 2))
    one.save(tmp_path / "one.json")
    other.save(tmp_path / "other.json")

    other.save(tmp_path / "one.json")

    assert Recipe.load(tmp_path / "other.json") == other == Recipe.load(tmp_path / "one.json")


@pytest.mark.parametrize("edit", [
    Through("layer_0", nn.Tanh()), Through("layer_0", torch.tanh),
    Debate("layer_0", reconciliation="gated", gate=nn.Linear(64, 1)),
], ids=["module", "function", "gate"])  # fmt: skip
def test_a_module_of_the_users_own_is_not_saved(tmp_path: Path, edit: Edit) -> None:
    Recipe((Scale("layer_0", 2),)).save(tmp_path / "mine.json")
    before = (tmp_path / "mine.json").read_bytes()

    with pytest.raises(
        EditError, match=f"The edit '{edit.verb} layer_0.*of your own, which a file cannot keep"
    ) as caught:
        Recipe((Scale("layer_0", 3), edit)).save(tmp_path / "mine.json")

    assert str(caught.value).count("\n") == 1
    assert (tmp_path / "mine.json").read_bytes() == before


def state_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def refused(folder: Path, message: str) -> None:
    before = state_of(folder)
    with pytest.raises(RecipeFileError, match=message) as caught:
        Recipe.load(folder / "mine.json")
    assert str(caught.value).count("\n") == 1
    assert state_of(folder) == before


def saved(folder: Path) -> Path:
    return Recipe((Add("layer_0", torch.randn(8)), Scale("layer_1", 2, tokens="0"))).save(folder / "mine.json")  # type: ignore[arg-type]


def test_any_damaged_byte_is_found(tmp_path: Path) -> None:
    place = saved(tmp_path)
    whole = Recipe.load(place)
    rng = random.Random(0)
    files = sorted(tmp_path.iterdir())

    for file, _ in itertools.product(files, range(40)):
        good = file.read_bytes()
        at = rng.randrange(len(good))
        file.write_bytes(good[:at] + bytes([good[at] ^ (1 << rng.randrange(8))]) + good[at + 1 :])
        try:
            assert Recipe.load(place) == whole  # white space, or the name of a key nobody reads
            assert file.suffix == ".json"
        except RecipeFileError:
            pass
        file.write_bytes(good)


@pytest.mark.parametrize("cut", [0, 1, 0.5, 0.99])
@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_a_file_cut_short_is_refused(tmp_path: Path, suffix: str, cut: float) -> None:
    saved(tmp_path)
    (file,) = tmp_path.glob(f"*{suffix}")
    raw = file.read_bytes()
    file.write_bytes(raw[: int(len(raw) * cut) if cut < 1 else 1])

    refused(tmp_path, "no whole recipe")


def test_missing_tensors_are_said(tmp_path: Path) -> None:
    saved(tmp_path)
    next(tmp_path.glob("*.safetensors")).unlink()

    refused(tmp_path, r"mine-[0-9a-f]{16}\.safetensors cannot be read")


def test_a_recipe_that_is_not_there_is_said(tmp_path: Path) -> None:
    refused(tmp_path, r"mine\.json cannot be read: No such file")


def rewritten(folder: Path, body: Any, **record: Any) -> None:
    whole = {"format": FORMAT, "version": 1, "sha256": digest(canonical(body)), "recipe": body, **record}
    (folder / "mine.json").write_text(json.dumps(whole))


BODIES: dict[str, tuple[Any, dict[str, Any], str]] = {
    "version": ({"edits": [], "tensors": None}, {"version": 2}, "version 2; this one reads 1"),
    "format": ({"edits": [], "tensors": None}, {"format": "else"}, "no whole recipe"),
    "kind": ({"edits": [{"edit": "shout", "at": "layer_0"}], "tensors": None}, {}, "no edit 'shout'"),
    "field": ({"edits": [{"edit": "scale", "at": "x", "factor": 1, "by": 2}], "tensors": None}, {}, "another 'by'"),
    "missing": ({"edits": [{"edit": "scale", "at": "layer_0"}], "tensors": None}, {}, "another 'factor'"),
    "value": ({"edits": [{"edit": "scale", "at": "layer_0", "factor": "a"}], "tensors": None}, {}, "'a' is no number"),
    "tokens": (
        {"edits": [{"edit": "scale", "at": "x", "factor": 1, "tokens": "odd"}], "tensors": None}, {}, "says no tokens",
    ),
    "list": ({"edits": ["scale"], "tensors": None}, {}, "no edit 'scale'"),
    "no list": ({"edits": 3, "tensors": None}, {}, "no whole recipe"),
    "tensor": (
        {"edits": [{"edit": "add", "at": "x", "value": {"tensor": "00"}}], "tensors": None}, {}, "tensor .* is missing",
    ),
    "outside": ({"edits": [], "tensors": {"file": "../x.safetensors", "sha256": "0"}}, {}, "no whole recipe"),
    "seed": (
        {"edits": [{"edit": "noise", "at": "x", "std": 1, "seed": "x"}], "tensors": None}, {}, "'x' is no seed",
    ),
    "module": ({"edits": [{"edit": "through", "at": "x", "module": "f"}], "tensors": None}, {}, "cannot be called"),
}  # fmt: skip


@pytest.mark.parametrize("case", BODIES)
def test_what_this_version_does_not_know_is_refused(tmp_path: Path, case: str) -> None:
    body, record, message = BODIES[case]
    rewritten(tmp_path, body, **record)

    refused(tmp_path, message)


ODD: list[Any] = [None, True, -1, 1e308, "", "x", "0,1", [], [1, "a"], [[1.0]], {}, {"tensor": "t"}, {"tensor": []}]


@pytest.mark.parametrize("verb", KINDS)
def test_whatever_stands_in_a_field_it_is_an_edit_or_refused(verb: str) -> None:
    rng, names = random.Random(0), [item.name for item in fields(KINDS[verb])]
    for _ in range(300):
        data = {"edit": verb, **{name: rng.choice(ODD) for name in names if rng.random() < 0.9}}
        try:
            made: object = edit_from(data, {"t": torch.ones(2, 3)})
        except GarageError as error:
            made = error
        assert isinstance(made, Edit) or str(made).count("\n") == 1, data


def test_saving_over_a_recipe_deletes_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.safetensors").write_bytes(b"years of work")
    rewritten(tmp_path, {"edits": [], "tensors": {"file": "thesis.safetensors", "sha256": "0"}})

    Recipe((Scale("layer_0", 2),)).save(tmp_path / "mine.json")

    assert (tmp_path / "thesis.safetensors").read_bytes() == b"years of work"


def test_a_disk_that_is_full_leaves_the_old_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path)
    before = state_of(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RecipeFileError, match="cannot be written: No space left"):
            Recipe((Add("layer_0", torch.ones(8)),)).save(tmp_path / "mine.json")

    assert state_of(tmp_path) == before


def test_an_interrupt_between_tensors_and_recipe_leaves_the_old_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, replace, calls = Recipe.load(saved(tmp_path)), os.replace, []

    def second_time(source: Any, target: Any) -> None:
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", second_time)
        with pytest.raises(KeyboardInterrupt):
            Recipe((Add("layer_0", torch.ones(8)),)).save(tmp_path / "mine.json")

    assert Recipe.load(tmp_path / "mine.json") == old
    assert not list(tmp_path.glob("*.tmp"))
