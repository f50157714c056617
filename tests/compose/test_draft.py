"""The sheet in the works: grafts come one by one and are taken back, and what a sheet names is opened once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from garage_nb.compose.assembly.build import build
from garage_nb.compose.assembly.reopening import relifted
from garage_nb.compose.draft import Draft
from garage_nb.compose.graft import Stack, Swap
from garage_nb.compose.opened import Opened
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.errors import BuildError, InputError
from garage_nb.inject.edits import Noise, Scale
from garage_nb.registry.lift import Lifted, lift
from tests.compose.bench import built, pair
from tests.families import saved, tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A donor on disk. Nobody changes it."""
    return str(saved("llama", tmp_path_factory.mktemp("donors") / "b"))


@pytest.fixture(scope="module")
def base() -> Lifted:
    return pair("llama")["a"]


def swapped(sheet: BuildSheet, source: str, at: str = "ffn_1") -> BuildSheet:
    return sheet + Swap(at, Ref(source))


def test_steps_and_back_again(base: Lifted) -> None:
    draft = Draft(base)
    first, checked = draft.to(draft.sheet(()) + Stack.of("0 1 1"))
    second, _ = first.to(first.sheet(()) + Swap.of("ffn_0", "[ffn_2]"))

    assert checked.ok
    assert draft.sheets == ()
    assert [str(graft) for graft in second.sheet(()).grafts] == ["stack 0 1 1", "swap ffn_0 [ffn_2]"]
    assert second.undo().sheet(()) == first.sheet(())
    assert second.clear().sheet(()) == draft.sheet(()) == BuildSheet(base.spec.model_id)


def test_nothing_is_left_to_take_back(base: Lifted) -> None:
    for back in (Draft(base).undo, Draft(base).clear):
        with pytest.raises(InputError, match="no graft to take back"):
            back()


def test_edits_are_those_of_now(base: Lifted) -> None:
    draft, _ = Draft(base).to(BuildSheet(base.spec.model_id, grafts=(Stack.of("1 0"),), edits=(Scale("ffn_0", 2.0),)))

    assert draft.sheet([Scale("ffn_1", 0.5)]).edits == (Scale("ffn_1", 0.5),)


def test_a_graft_that_does_not_fit_is_no_step(base: Lifted) -> None:
    with pytest.raises(BuildError):
        Draft(base).to(Draft(base).sheet(()) + Stack.of("9"))


def test_a_donor_named_in_words_is_opened_once(base: Lifted, folder: str) -> None:
    draft = Draft(base)
    first, one = draft.to(swapped(draft.sheet(()), folder))
    second, two = first.to(swapped(first.sheet(()), folder, "ffn_0"))
    _, again = second.over(pair("llama")["b"]).over(base).to(swapped(draft.sheet(()), folder))

    assert one.donors[folder].lifted is two.donors[folder].lifted is again.donors[folder].lifted
    assert one.donors[folder].lifted is not None
    assert second.sheet(()).donors == {}  # said as it was, for files


def test_another_model_on_the_lift_has_a_sheet_of_its_own(base: Lifted) -> None:
    draft, _ = Draft(base).to(Draft(base).sheet(()) + Stack.of("1 0"))

    assert draft.over(base) is draft
    assert draft.over(pair("llama")["b"]).sheets == ()


def test_in_another_precision_it_is_opened_anew(base: Lifted, folder: str) -> None:
    """What is in memory could not be used, and was not asked for."""
    draft, _ = Draft(base).to(swapped(Draft(base).sheet(()), folder))
    narrow = BuildSheet(folder, grafts=(Stack.of("1 0"),), dtype="bfloat16")

    _, checked = draft.to(narrow)

    assert checked.donors[folder].dtype == torch.bfloat16


def test_a_folder_that_was_written_anew_is_opened_anew(tmp_path: Path) -> None:
    place = tmp_path / "hybrid"
    built(pair("llama"), Stack.of("0 1")).save_pretrained(place)
    sheet = BuildSheet("a", {"a": str(place)})
    before = Opened().and_of(sheet, sheet.check())
    assert isinstance(before.beside(sheet).donors["a"], Lifted)

    built(pair("llama"), Stack.of("1 0 b[0]")).save_pretrained(place)

    assert before.beside(sheet).donors["a"] == str(place)
    assert before.beside(sheet).check().grafted.spec.num_layers == 3


@pytest.mark.parametrize("name", ["~nobody-of-this-name/x", "a" * 5000, "org/model@main"])
def test_any_name_is_looked_up_without_a_word(name: str) -> None:
    sheet = BuildSheet(name)

    assert Opened().beside(sheet) == sheet


def test_rivals_by_name(base: Lifted, folder: str) -> None:
    hybrid = built(pair("llama"), Stack.of("0 b[1]"))

    found = relifted({"base": base, "hybrid": hybrid, "live": tiny("llama")})

    assert found["base"] is base
    assert found["hybrid"].model is hybrid.model
    assert list(found) == ["base", "hybrid", "live"]
    assert list(relifted(f" {folder} ,{os.path.dirname(folder)}/b,")) == [folder]
    assert list(relifted(tiny("llama"))) == ["donor"]


def test_a_rival_without_its_edits_would_be_another_model(tmp_path: Path) -> None:
    sheet = BuildSheet("a", {"a": lift(tiny("llama"))}, edits=(Noise("ffn_1", 0.1, seed=7),))
    hybrid = build(sheet)
    place = hybrid.save_pretrained(tmp_path / "hybrid")

    for rival in ({"b": hybrid}, {"b": str(place)}):
        with pytest.raises(InputError, match="b has edits that are not in its weights: noise ffn_1") as caught:
            relifted(rival)
        assert str(caught.value).count("\n") == 1
