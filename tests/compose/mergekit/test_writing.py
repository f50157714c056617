"""Sheets as recipes: read again they are the same sheet, and the real mergekit makes the same of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from garage_nb.compose.blends.methods import blend_of
from garage_nb.compose.graft import Graft, Merge, Stack, Swap
from garage_nb.compose.mergekit.reading import sheet_from
from garage_nb.compose.mergekit.writing import recipe_from
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.errors import BuildError
from garage_nb.inject.edits import Scale
from tests.compose.mergekit.recipes import RECIPES, recipe
from tests.compose.mergekit.shelf import merged_by_mergekit, shelved
from tests.families import tiny

FOLDERS = {letter: f"org/{letter}" for letter in "abc"}
DONORS = {"x": "org/x", "y": "org/y@v1"}


def sheet(*grafts: Graft) -> BuildSheet:
    return BuildSheet("org/base", DONORS, grafts)


def merge(at: str, sources: str, blend: str) -> Merge:
    return Merge(at, tuple(map(Ref.of, sources.split())), blend_of(blend))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_comes_back_the_same_sheet(name: str) -> None:
    read = sheet_from(recipe(name, FOLDERS), seed=3)

    assert sheet_from(recipe_from(read), seed=3) == read


@pytest.mark.parametrize(
    "grafts",
    [
        (),
        (Stack.of("0:24 8:32"),),
        (Stack.of("0,3 5"),),
        (Stack.of("0:2 x[1:3]"), Swap("top", Ref("x"))),
        (merge("all", "x y", "--method ties --weight 0.5 --density 0.2,mlp=0..1/1 --lambda 0.5"),),
        (merge("all", "x", "--method slerp --t self_attn=0..1/0.5"),),
        (merge("all", "x y", "--method dare_ties --weight 0.5,0.2 --seed 9"),),
        (
            Stack.of("x"),
            Swap("bottom", Ref("x")),
            Swap("top", Ref("x")),
            merge("all", "org/base", "--method linear --weight 1,2"),
        ),
    ],
)
def test_sheets_that_a_recipe_can_say(grafts: tuple[Graft, ...]) -> None:
    text = recipe_from(sheet(*grafts))

    again = sheet_from(text, seed=9)

    assert recipe_from(again) == text
    assert again.donors[again.base] == "org/base"
    assert len(again.grafts) == len(grafts) or not grafts


@pytest.mark.parametrize(
    ("grafts", "what"),
    [
        ((Swap("attention_3", Ref("x")),), "No recipe of mergekit says: swap attention_3 org/x."),
        ((Swap("top", Ref("x")),), "No recipe of mergekit says: swap top org/x."),
        ((Stack.of("0:2 x[1:3]"),), "By a recipe of mergekit there would also be: swap top org/x."),
        ((Stack.of("0:2 x[2:]"),), "A recipe has layers from and to, not org/x[2:]."),
        ((Stack.of("::2"),), "A recipe has layers from and to, not org/base[::2]."),
        ((merge("layer_*", "x", "--method slerp --t 1"),), "No recipe of mergekit says: merge layer_* org/x"),
        ((Stack.of("0:2 2:4"), merge("0:2", "x[0:2]", "--method slerp --t 1")), "Layers 2:4 are stacked and others"),
        ((merge("all", "x", "--method slerp --t 1"), merge("all", "y", "--method slerp --t 1")), "merge all org/y@v1"),
        ((merge("all", "x", "--method ties --weight 1 --density mlp=0.5"),), "No recipe of mergekit says: merge all"),
        ((Swap("embedding", Ref("x"), "fit"),), "swap embedding org/x --adapter fit"),
        ((Stack.of("x"), merge("all", "y", "--method linear --weight 1")), "org/base gives its config alone"),
    ],
)  # fmt: skip
def test_what_no_recipe_says_is_refused_by_its_graft(grafts: tuple[Graft, ...], what: str) -> None:
    with pytest.raises(BuildError) as error:
        recipe_from(sheet(*grafts))

    assert what in error.value.what
    assert error.value.hint


def test_edits_are_in_no_recipe() -> None:
    edited = BuildSheet("org/base", DONORS, (), edits=(Scale("layer_1", 0.5),))

    with pytest.raises(BuildError, match="No recipe of mergekit says: scale layer_1"):
        recipe_from(edited)


def test_a_model_in_memory_is_in_no_recipe() -> None:
    live = BuildSheet("base", {"base": tiny("gpt2"), "x": "org/x"}, (Stack.of("0:1"),))

    with pytest.raises(BuildError, match="base is a model in memory"):
        recipe_from(live)


def test_a_seed_is_told_beside_the_recipe() -> None:
    text = recipe_from(sheet(merge("all", "x", "--method dare_linear --weight 1 --seed 7")))

    assert text.startswith("# mergekit-yaml --random-seed 7\n")


def test_mergekit_makes_the_same_of_what_was_written(tmp_path: Path) -> None:
    folders = shelved("llama", tmp_path)
    for number, name in enumerate(
        ("scaled by names and by depth", "linear, by slices", "ties, rescaled, by slices", "dare_ties")
    ):
        text = recipe(name, folders)

        written = recipe_from(sheet_from(text))

        theirs = merged_by_mergekit(text, tmp_path / f"as said {number}")
        ours = merged_by_mergekit(written, tmp_path / f"as written {number}")
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
