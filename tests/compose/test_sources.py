"""What is brought to a sheet gets a name on it that a reference can say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from garage_nb.compose.graft import Swap
from garage_nb.compose.layout.check import check
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.compose.sources import brought
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.extract.shelf.saving import save_part
from garage_nb.registry.lift import lift
from tests.families import tiny

SHEET = BuildSheet("a", {"a": "one"})


@pytest.mark.parametrize("text", ["b", "b[attention_5]", "org/model[2:6]", "0,2", "all", "[ffn_1]"])
def test_a_text_is_a_reference_and_brings_nothing(text: str) -> None:
    assert brought(SHEET, text) == (SHEET, Ref.of(text))
    assert brought(SHEET, Ref.of(text)) == (SHEET, Ref.of(text))


def named(name_or_path: str) -> Any:
    model = tiny("llama", 1)
    model.config._name_or_path = name_or_path
    return model


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("org/known", "known"),
        ("/home/somebody/models/mine/", "mine"),
        ("odd [1], name; x", "odd__1___name__x"),
        ("", "LlamaForCausalLM"),
        ("a", "a_2"),
    ],
)
def test_a_model_is_called_after_what_it_came_from(called: str, name: str) -> None:
    model = named(called)

    sheet, ref = brought(SHEET, model)

    assert ref == Ref(name)
    assert sheet.donors == {"a": "one", name: model}
    assert sheet.base == "a"
    assert SHEET.donors == {"a": "one"}


def test_lifted_models_too_and_one_that_is_there_keeps_its_name() -> None:
    lifted = lift(named("org/known"))
    sheet, first = brought(SHEET, lifted)

    again, second = brought(sheet, lifted)

    assert first == second == Ref("known")
    assert again.donors == sheet.donors


def test_several_of_one_name_are_numbered() -> None:
    sheet, refs = SHEET, []
    for _ in range(3):
        sheet, ref = brought(sheet, named("org/known"))
        refs.append(ref.donor)

    assert refs == ["known", "known_2", "known_3"]
    assert len({id(donor) for donor in sheet.donors.values()}) == 4


def test_a_part_and_its_file_are_called_after_the_part(tmp_path: Path) -> None:
    part = PyTorchExtractor(tiny("llama")).extract_component("attention_1")
    file = save_part(part, tmp_path)

    live, of_part = brought(SHEET, part)
    read, of_file = brought(SHEET, str(file))

    assert of_part == of_file == Ref("attention_1")
    assert live.donors["attention_1"] is part
    assert read.donors["attention_1"] == str(file)


@pytest.mark.parametrize("called", ["0", "all", "-1", "1,2", "0:2", " a b\t"])
def test_whatever_it_is_called_a_sheet_can_say_it(called: str) -> None:
    """`0` alone would be a layer of the base."""
    sheet, ref = brought(BuildSheet("base", {"base": lift(tiny("llama"))}), named(f"org/{called}"))

    assert Ref.of(str(ref)) == ref
    assert check(replace(sheet, grafts=(Swap("ffn_0", ref),))).ok
