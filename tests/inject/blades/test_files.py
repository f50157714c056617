"""A blade on disk is the blade, whole and with its evidence, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.core.sealed import canonical, digest
from garage_nb.errors import BladeFileError, EditError, RecipeFileError
from garage_nb.inject.blades.edit import in_force
from garage_nb.inject.blades.evidence import Arm, Evidence
from garage_nb.inject.blades.files import BLADES, load_blade, save_blade
from garage_nb.inject.blades.kinds.transplant import transplant
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from tests.inject.blades.making import EVIDENCE, bare, lifted, under


def measured(**changes: Any) -> Any:
    return bare(**changes).measured(EVIDENCE)


def test_no_blade_is_saved_without_its_evidence(tmp_path: Path) -> None:
    with pytest.raises(BladeFileError, match="has not been measured"):
        save_blade(bare(), tmp_path / "east")
    with pytest.raises(BladeFileError, match="has not been measured"):
        Recipe((Scale("layer_0", 2), in_force(bare()))).save(tmp_path / "recipe")

    assert not list(tmp_path.iterdir())


def test_saved_and_loaded_it_is_and_acts_the_same(tmp_path: Path) -> None:
    live, blade = lifted("llama"), measured(alpha=0.7)

    place = save_blade(blade, tmp_path / "east")
    loaded = load_blade(tmp_path / "east")

    assert place == tmp_path / "east" / BLADES.file
    assert loaded == load_blade(place) == blade
    assert loaded.evidence == EVIDENCE
    assert torch.equal(under(live, in_force(loaded)), under(live, in_force(blade)))
    assert len(list((tmp_path / "east").iterdir())) == 2


def test_a_source_is_found_again_by_its_weights(tmp_path: Path) -> None:
    target, source = lifted("llama"), lifted("llama", seed=1)
    blade = transplant("graft", target, "layer_1", source, alpha=0.5).measured(EVIDENCE)
    edit = in_force(blade, source=source)

    loaded = load_blade(save_blade(blade, tmp_path / "blade").parent)
    recipe = Recipe.load(Recipe((edit,)).save(tmp_path / "recipe"))

    assert torch.equal(under(target, in_force(loaded, source=source)), under(target, edit))
    (again,) = recipe
    with pytest.raises(EditError, match="which is not here"):
        recipe.taps(target.spec)
    assert again.beside(source) == edit
    with pytest.raises(EditError, match="was made from"):
        again.beside(target)


def test_in_a_recipe_it_comes_back_as_it_was(tmp_path: Path) -> None:
    recipe = Recipe((in_force(measured(), alpha=0.3, tokens="-1"), Scale("layer_0", 2), in_force(measured())))

    place = recipe.save(tmp_path)

    assert Recipe.load(place) == recipe
    assert str(Recipe.load(place)) == str(recipe)


CHANGES: list[Callable[[dict[str, Any]], object]] = [
    lambda body: body.update(more=1),
    lambda body: body.pop("kind"),
    lambda body: body.update(kind="sword"),
    lambda body: body.update(kind=["direction"]),
    lambda body: body.update(width=True),
    lambda body: body.update(width=31),
    lambda body: body.update(alpha="1"),
    lambda body: body.update(alpha=float("nan")),
    lambda body: body.update(evidence=None),
    lambda body: body["evidence"].update(arms=[]),
    lambda body: body["evidence"]["arms"][0].update(n=0),
    lambda body: body["evidence"]["arms"][0].update(low=9),
    lambda body: body["evidence"]["arms"][0].pop("high"),
    lambda body: body["fit"].update(steps=-1),
    lambda body: body["target"].update(path="/etc/passwd"),
    lambda body: body["settings"].update(rank=3),
    lambda body: body.update(settings=[]),
    lambda body: body.update(source=body["target"], source_place="layer_1"),
    lambda body: body.update(name=" "),
    lambda body: body.update(name="x" * 5000),
    lambda body: body.update(tensors=None),
    lambda body: body.update(tensors={"file": "../../other.safetensors", "sha256": "0"}),
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_no_blade_says_is_refused_though_its_checksum_is_right(tmp_path: Path, change: Any) -> None:
    place = save_blade(measured(), tmp_path)
    record = json.loads(place.read_text())
    change(record["blade"])
    record["sha256"] = digest(canonical(record["blade"]))
    place.write_text(json.dumps(record))

    with pytest.raises(BladeFileError) as caught:
        load_blade(place)

    assert len(str(caught.value).split("\n")) == 2


@pytest.mark.parametrize("change", CHANGES[:10])
def test_so_is_it_in_a_recipe(tmp_path: Path, change: Any) -> None:
    place = Recipe((in_force(measured()),)).save(tmp_path)
    record = json.loads(place.read_text())
    change(record["recipe"]["edits"][0]["blade"])
    record["sha256"] = digest(canonical(record["recipe"]))
    place.write_text(json.dumps(record))

    with pytest.raises(RecipeFileError):
        Recipe.load(place)


def test_every_byte_counts(tmp_path: Path) -> None:
    save_blade(measured(), tmp_path)
    for file in sorted(tmp_path.iterdir()):
        whole = file.read_bytes()
        for at in range(0, len(whole), max(1, len(whole) // 40)):
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            try:
                loaded = load_blade(tmp_path)
            except BladeFileError:
                continue
            assert loaded == measured()  # white space, or a name outside the sealed part
        file.write_bytes(whole)
    assert load_blade(tmp_path) == measured()


def test_what_is_not_there_or_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BladeFileError, match="cannot be read"):
        load_blade(tmp_path / "none")
    with pytest.raises(BladeFileError, match="no whole blade"):
        load_blade(_empty(tmp_path))
    with pytest.raises(BladeFileError, match="cannot be written"):
        save_blade(measured(), tmp_path / "file")


def _empty(folder: Path) -> Path:
    place = folder / "empty.json"
    place.write_text("{}")
    return place


def test_evidence_says_what_it_is_of() -> None:
    frame, said = EVIDENCE.frame(), repr(EVIDENCE)

    assert list(frame.index) == [("arm", "blade"), ("arm", "noise"), ("retention", "sorting")]
    assert frame.loc[("arm", "blade"), "effect"] == 0.21
    assert "kept: sorting" in said
    assert "3 seeds; 2 forwards a token; data cdcdcdcd" in said
    assert Evidence.from_json(json.loads(json.dumps(EVIDENCE.to_json()))) == EVIDENCE
    with pytest.raises(EditError, match="does not lie from"):
        Arm(name="a", n=3, effect=2, low=0, high=1)
    with pytest.raises(EditError, match="has arms by name"):
        replace(EVIDENCE, arms=())
    with pytest.raises(EditError, match="is no hash"):
        replace(EVIDENCE, data="here")


def test_a_blade_is_a_value() -> None:
    direction = torch.ones(32)
    blade = bare(tensors={"direction": direction})
    direction += 1

    assert blade == bare(tensors={"direction": torch.ones(32)})
    assert blade != bare()
    assert hash(blade) == hash(bare())
    with pytest.raises(EditError, match="finite"):
        bare(tensors={"direction": torch.full((32,), float("inf"))})
