"""The same tensors as mergekit itself, recipe by recipe and family by family."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from garage_nb.compose.mergekit.reading import sheet_from
from tests.compose.mergekit.naive import evaluated
from tests.compose.mergekit.recipes import DRAWN, RECIPES, SAME_DEPTH, recipe
from tests.compose.mergekit.shelf import Shelves, merged_by_mergekit, shelves_in, weights_of

FAMILIES = {
    "llama": [*RECIPES],
    "gpt2": [*RECIPES],
    "mixtral": [name for name in RECIPES if name not in DRAWN],  # mergekit draws for fused experts out of turn
    "gemma2": SAME_DEPTH,
}
QUICK = ["scaled by names and by depth", "linear", "ties", "slerp of models nearly alike", "dare_ties"]
CASES = [
    pytest.param(family, name, marks=[] if family == "llama" or name in QUICK else [pytest.mark.slow])
    for family, names in FAMILIES.items()
    for name in names
]


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory) -> Shelves:
    return shelves_in(tmp_path_factory)


@pytest.mark.parametrize(("family", "name"), CASES)
def test_a_sheet_read_from_a_recipe_makes_what_mergekit_makes(
    family: str, name: str, shelves: Shelves, tmp_path: Path
) -> None:
    folders = shelves(family)
    text = recipe(name, folders)
    theirs = merged_by_mergekit(text, tmp_path, seed=3)

    ours = evaluated(sheet_from(text, seed=3), {letter: weights_of(folder) for letter, folder in folders.items()})

    assert ours.keys() == theirs.keys()
    unlike = [key for key in ours if ours[key].dtype != theirs[key].dtype or not torch.equal(ours[key], theirs[key])]
    assert not unlike


def test_the_numbers_that_are_drawn_depend_on_the_seed(shelves: Shelves, tmp_path: Path) -> None:
    text = recipe("dare_ties", shelves("llama"))
    theirs = merged_by_mergekit(text, tmp_path, seed=4)

    ours = evaluated(
        sheet_from(text, seed=3), {letter: weights_of(folder) for letter, folder in shelves("llama").items()}
    )

    assert any(not torch.equal(ours[key], theirs[key]) for key in ours)
