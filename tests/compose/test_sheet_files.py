"""Sheets in files: what was saved comes back whole, and what is damaged does not come back at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.compose.assembly.build import build
from garage_nb.compose.blends.methods import blend_of
from garage_nb.compose.graft import Adapt, Merge, Stack, Swap
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.compose.sheet_files import open_sheet, save_sheet
from garage_nb.errors import BuildError, GarageError
from garage_nb.inject.ablate import Ablate
from garage_nb.inject.edits import Add, Noise, Scale, Steer, Through
from garage_nb.inject.mask import Mask
from tests.compose.assembly.test_saving import files
from tests.compose.bench import pair
from tests.compose.stitching.by_hand import guest, of_two
from tests.hostile import TEXTS

LINE = torch.linspace(-1, 1, 32)
EDITS = (
    Scale("attention_1", 0.5), Steer("ffn_1", LINE, 0.3), Add("ffn_2", LINE.bfloat16()), Mask("attention_2", drop="0"),
    Ablate("ffn_0", "mean", torch.stack([LINE, LINE + 1])), Noise("layer_1", 0.1, seed=7),
)  # fmt: skip
GRAFTS = (
    Stack.of("0:2 b[1,1,-1]"), Swap("ffn_1", Ref("b"), "fit"), Adapt("some/adapter", 0.5),
    Merge("attention_0", (Ref("b"),), blend_of("--method slerp --t 0.5")),
)  # fmt: skip
STACKED = (Stack.of("0:2 b[1:3]"), Swap("top", Ref("b")))
SHEET = BuildSheet("a", {"a": "org/one", "b": "two"}, GRAFTS, "mine", edits=EDITS, texts=("one text", "another"))


def test_all_of_it_comes_back_tensors_too(tmp_path: Path) -> None:
    place = save_sheet(SHEET, tmp_path / "deep" / "sheet.json")

    assert place == tmp_path / "deep" / "sheet.json"
    assert open_sheet(place) == SHEET
    assert open_sheet(str(place)) == SHEET
    assert len(list(place.parent.iterdir())) == 2


def test_without_tensors_there_is_one_file(tmp_path: Path) -> None:
    sheet = BuildSheet("a", {"a": "x"}, GRAFTS)
    place = save_sheet(SHEET, tmp_path / "sheet.json")

    save_sheet(sheet, place)

    assert open_sheet(place) == sheet
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.json"]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_any_text_comes_back(text: str, tmp_path: Path) -> None:
    sheet = BuildSheet("a", {"a": text}, (Swap(text, Ref("b")),), name=text, texts=(text,))

    assert open_sheet(save_sheet(sheet, tmp_path / "sheet.json")) == sheet


@pytest.mark.parametrize("suffix", [".yml", ".yaml"])
def test_a_recipe_of_mergekit_there_and_back(suffix: str, tmp_path: Path) -> None:
    import yaml

    sheet = BuildSheet("a", {"a": "org/one", "b": "org/two"}, STACKED)

    place = save_sheet(sheet, tmp_path / f"recipe{suffix}")

    written = yaml.safe_load(place.read_text())
    assert written["merge_method"] == "passthrough"
    again = open_sheet(place)
    assert again.donors[again.base] == "org/one"
    assert save_sheet(again, tmp_path / f"again{suffix}").read_text() == place.read_text()


def test_what_no_recipe_can_say_is_refused_and_what_was_there_stays(tmp_path: Path) -> None:
    place = save_sheet(BuildSheet("a", {"a": "x", "b": "y"}, STACKED), tmp_path / "recipe.yml")
    before = files(tmp_path)

    with pytest.raises(BuildError) as caught:
        save_sheet(SHEET, place)

    assert str(caught.value).count("\n") == 1
    assert files(tmp_path) == before


def test_a_module_of_ones_own_is_no_text(tmp_path: Path) -> None:
    sheet = BuildSheet("a", {"a": "x"}, edits=(Through("ffn_1", torch.nn.Tanh()),))

    with pytest.raises(GarageError, match="of your own") as caught:
        save_sheet(sheet, tmp_path / "sheet.json")

    assert str(caught.value).count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_sheet_of_a_hybrid_in_a_folder(tmp_path: Path) -> None:
    sheet = BuildSheet("a", pair("llama"), (Stack.of("0 b[1] 1"),), edits=(Scale("ffn_1", 0.5),), texts=("private",))
    place = build(sheet).save_pretrained(tmp_path / "hybrid")

    again = open_sheet(place)

    assert (again.base, again.grafts, again.edits, again.name) == (sheet.base, sheet.grafts, sheet.edits, sheet.name)
    assert again.texts == ()
    assert list(again.donors) == ["a", "b"]


def test_the_sheet_of_a_hybrid_with_a_guest(tmp_path: Path) -> None:
    sheet = BuildSheet("a", of_two("llama", guest("gpt2")), (Swap("ffn_1", Ref("b"), "untrained"),))

    assert open_sheet(build(sheet).save_pretrained(tmp_path / "hybrid")).grafts == sheet.grafts


def test_tensors_of_edits_that_a_folder_no_longer_has_are_missed_in_words(tmp_path: Path) -> None:
    sheet = BuildSheet("a", {"a": pair("gpt2")["a"]}, edits=(Steer("ffn_1", LINE),))
    place = build(sheet).save_pretrained(tmp_path / "hybrid")
    assert open_sheet(place).edits == sheet.edits
    (place / "garage_edits.json").unlink()

    with pytest.raises(BuildError, match="A tensor of this edit is missing") as caught:
        open_sheet(place)

    assert str(caught.value).count("\n") == 1


def sheet_gone(place: Path) -> None:
    place.unlink()


def tensors_gone(place: Path) -> None:
    next(place.parent.glob("*.safetensors")).unlink()


def tensors_cut_short(place: Path) -> None:
    file = next(place.parent.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-4])


def a_bit_of_the_tensors(place: Path) -> None:
    file = next(place.parent.glob("*.safetensors"))
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def sheet_cut_short(place: Path) -> None:
    place.write_bytes(place.read_bytes()[:-20])


def another_word(place: Path) -> None:
    place.write_text(place.read_text().replace("org/one", "org/two"))


def no_text(place: Path) -> None:
    place.write_bytes(b"\xff\xfe\x00")


def deep(place: Path) -> None:
    place.write_text("[" * 100_000)


def another_format(place: Path) -> None:
    place.write_text(place.read_text().replace("garage_nb build sheet", "garage_nb part"))


def a_list(place: Path) -> None:
    place.write_text("[]")


def of_another_version(place: Path) -> None:
    said = json.loads(place.read_text())
    said["version"] = 99
    place.write_text(json.dumps(said))


def a_folder_of_nothing(place: Path) -> None:
    place.unlink()
    place.mkdir()


def a_folder_of_another_model(place: Path) -> None:
    place.unlink()
    place.mkdir()
    (place / "config.json").write_text('{"model_type": "llama"}')


def a_folder_whose_config_is_a_list(place: Path) -> None:
    place.unlink()
    place.mkdir()
    (place / "config.json").write_text("[1]")


DAMAGE: list[Callable[[Path], None]] = [
    sheet_gone, tensors_gone, tensors_cut_short, a_bit_of_the_tensors, sheet_cut_short, another_word, no_text, deep,
    another_format, a_list, of_another_version, a_folder_of_nothing, a_folder_of_another_model,
    a_folder_whose_config_is_a_list,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_refused_in_two_lines(damage: Callable[[Path], None], tmp_path: Path) -> None:
    place = save_sheet(SHEET, tmp_path / "sheet.json")
    damage(place)
    before = files(tmp_path)

    with pytest.raises(BuildError) as caught:
        open_sheet(place)

    assert str(caught.value).count("\n") == 1
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "text",
    ["", "[]", "merge_method: weld", "!!python/object/apply:os.system ['x']", "\x00", "a: &a [*a]", "a: [" * 500],
)
def test_a_yaml_that_is_no_recipe(text: Any, tmp_path: Path) -> None:
    (tmp_path / "recipe.yml").write_text(text)

    with pytest.raises(GarageError) as caught:
        open_sheet(tmp_path / "recipe.yml")

    assert str(caught.value).count("\n") == 1


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    for name in ("sheet.json", "recipe.yml"):
        with pytest.raises(BuildError, match="cannot be written"):
            save_sheet(BuildSheet("a", {"a": "x", "b": "y"}, STACKED), tmp_path / "file" / name)
    assert files(tmp_path) == {"file": b"mine"}
