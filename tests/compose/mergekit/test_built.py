"""What the engine bench builds of a recipe is what mergekit writes of it, weight by weight."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from garage_nb.compose.assembly.build import build
from garage_nb.compose.mergekit.reading import sheet_from
from garage_nb.compose.sheet import BuildSheet
from garage_nb.errors import BuildError
from tests.compose.mergekit.recipes import DRAWN, RECIPES, SAME_DEPTH, recipe
from tests.compose.mergekit.shelf import Shelves, Tensors, merged_by_mergekit, shelves_in, tensors_in
from tests.families import prompt, tiny

QUICK = ["two models", "the base gives the config alone", "linear, by slices", "slerp by names and depth, in bfloat16"]
QUICK += ["task arithmetic, normalized, out of bfloat16", "ties, rescaled, by slices", "dare_ties, by slices"]
SLOW = [
    *(("gpt2", name) for name in RECIPES),
    *(("llama", name) for name in RECIPES if name not in QUICK),
    *(("mixtral", name) for name in RECIPES if name not in DRAWN),
    *(("gemma2", name) for name in SAME_DEPTH),
]


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory) -> Shelves:
    return shelves_in(tmp_path_factory)


@pytest.mark.parametrize(
    ("family", "name"),
    [*(("llama", name) for name in QUICK), *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)],
)
def test_a_build_has_the_weights_that_mergekit_writes(family: str, name: str, shelves: Shelves, tmp_path: Path) -> None:
    text = recipe(name, shelves(family))
    theirs = merged_by_mergekit(text, tmp_path, seed=3)
    before = {folder: tensors_in(folder) for folder in shelves(family).values()}

    hybrid = build(sheet_from(text, seed=3))

    assert_same(dict(hybrid.model.named_parameters()), theirs)
    assert hybrid.model(prompt()).logits.isfinite().all()
    for folder, tensors in before.items():
        assert_same(tensors_in(folder), tensors)


def test_a_tokenizer_goes_along_and_no_row_is_dropped(shelves: Shelves, tmp_path: Path) -> None:
    """mergekit drops the rows beyond the tokenizer's last token: the one difference there is."""
    text = recipe("task arithmetic", shelves("llama")) + "tokenizer_source: base"
    theirs = merged_by_mergekit(text, tmp_path)

    hybrid = build(sheet_from(text))

    ours = dict(hybrid.model.named_parameters())
    assert len(theirs["lm_head.weight"]) == len(hybrid.tokenizer) < len(ours["lm_head.weight"])
    assert_same({name: ours[name][: len(theirs[name])] for name in ours}, theirs)


def test_two_builds_of_what_draws_are_the_same(shelves: Shelves) -> None:
    sheet = sheet_from(recipe("dare_ties", shelves("llama")), seed=5)

    one, two = (dict(build(sheet).model.named_parameters()) for _ in range(2))

    assert_same(one, two)


def test_a_model_in_memory_of_another_precision_is_refused(shelves: Shelves) -> None:
    sheet = sheet_from(recipe("slerp", shelves("llama")))
    live = BuildSheet(sheet.base, {**sheet.donors, "a": tiny("llama", 4)}, sheet.grafts, dtype="bfloat16")

    with pytest.raises(BuildError) as error:
        build(live)

    assert error.value.what == "a is float32 in memory, and the sheet works in bfloat16."


def assert_same(ours: Tensors, theirs: Tensors) -> None:
    assert ours.keys() == theirs.keys()
    assert not [name for name in ours if not _same(ours[name], theirs[name])]


def _same(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and torch.equal(a, b)
