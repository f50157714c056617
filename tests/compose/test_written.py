"""Sheets as JSON: they come back as they were, or are refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from garage_nb.compose.blends.methods import blend_of
from garage_nb.compose.graft import Graft, Merge, Stack, Swap
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.compose.written import sheet_from_json, sheet_to_json
from garage_nb.errors import BuildError
from garage_nb.registry.lift import lift
from tests.families import tiny
from tests.hostile import TEXTS

BLENDS = [
    "--method linear --weight 0.5,0.25,0.25 --normalize false",
    "--method slerp --t self_attn=0..1/mlp=1..0.5..0/0.5",
    "--method task_arithmetic --weight 0.5,-0.25",
    "--method ties --weight 0.5 --density 0.2",
    "--method dare_ties --weight 0.5 --density 0.2 --seed 7",
    "--method dare_linear --weight 0.5 --density 0.2",
    "--method passthrough",
]
GRAFTS: list[Graft] = [
    Stack.of("0:2 b[1,1,-1] all"),
    Swap("attention_1", Ref.of("b[attention_3]")),
    Swap("ffn_*", Ref.of("b"), "fit"),
    Swap("0,2", Ref.of("[1,0]"), "untrained"),
    *(Merge("all", (Ref("b"), Ref.of("c[0:3]")), blend_of(text)) for text in BLENDS),
]
SHEET = BuildSheet("a", {"a": "org/one", "b": "two"}, tuple(GRAFTS), "mine", dtype="bfloat16", tokenizer="b")


@pytest.mark.parametrize("graft", GRAFTS, ids=str)
def test_every_graft_comes_back(graft: Graft) -> None:
    sheet = BuildSheet("a", {"a": "x"}, (graft,))

    assert sheet_from_json(json.loads(json.dumps(sheet_to_json(sheet)))) == sheet


def test_a_whole_sheet_comes_back_and_says_the_same_again() -> None:
    again = sheet_from_json(json.loads(json.dumps(sheet_to_json(SHEET))))

    assert again == SHEET
    assert json.dumps(sheet_to_json(again)) == json.dumps(sheet_to_json(SHEET))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_any_text_may_stand_where_one_may(text: str) -> None:
    sheet = BuildSheet("a", {"a": text}, (Swap(text, Ref("b", "ffn_0")),), name=text)

    assert sheet_from_json(json.loads(json.dumps(sheet_to_json(sheet)))) == sheet


def test_live_donors_are_said_by_their_id_or_by_their_name() -> None:
    model = tiny("llama")
    model.config._name_or_path = "org/known"

    said = sheet_to_json(BuildSheet("a", {"a": lift(model), "b": model}))["donors"]

    assert said == {"a": "org/known", "b": "b"}


def unknown_key(data: Any) -> None:
    data["more"] = 1


def unknown_key_of_a_graft(data: Any) -> None:
    data["grafts"][1]["more"] = 1


def missing_key(data: Any) -> None:
    del data["grafts"][1]["source"]


def missing_base(data: Any) -> None:
    del data["base"]


def another_version(data: Any) -> None:
    data["version"] = 99


def text_for_a_version(data: Any) -> None:
    data["version"] = "1"


def another_graft(data: Any) -> None:
    data["grafts"][0]["graft"] = "weld"


def another_adapter(data: Any) -> None:
    data["grafts"][1]["adapter"] = "glue"


def adapter_of_another_type(data: Any) -> None:
    data["grafts"][1]["adapter"] = ["fit"]


def another_method(data: Any) -> None:
    data["grafts"][4]["blend"]["method"] = "os.system"


def another_parameter(data: Any) -> None:
    data["grafts"][4]["blend"]["more"] = 1


def number_for_a_name(data: Any) -> None:
    data["name"] = 3


def number_for_a_donor(data: Any) -> None:
    data["donors"]["a"] = 3


def list_for_donors(data: Any) -> None:
    data["donors"] = ["a"]


def text_for_grafts(data: Any) -> None:
    data["grafts"] = "stack"


def text_for_layers(data: Any) -> None:
    data["grafts"][0]["layers"] = "012"


def broken_reference(data: Any) -> None:
    data["grafts"][1]["source"] = "b["


def nothing_for_a_graft(data: Any) -> None:
    data["grafts"][0] = None


CHANGES: list[Callable[[Any], None]] = [
    unknown_key, unknown_key_of_a_graft, missing_key, missing_base, another_version, text_for_a_version, another_graft,
    another_adapter, adapter_of_another_type, another_method, another_parameter, number_for_a_name, number_for_a_donor,
    list_for_donors, text_for_grafts, text_for_layers, broken_reference, nothing_for_a_graft,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_anything_else_is_refused_in_two_lines(change: Callable[[Any], None]) -> None:
    data = copy.deepcopy(sheet_to_json(SHEET))
    change(data)

    with pytest.raises(BuildError) as caught:
        sheet_from_json(data)

    assert str(caught.value).count("\n") == 1


@pytest.mark.parametrize("data", [None, [], "sheet", 3, {}, {"version": 1}], ids=repr)
def test_what_is_no_sheet_at_all(data: Any) -> None:
    with pytest.raises(BuildError) as caught:
        sheet_from_json(data)

    assert str(caught.value).count("\n") == 1
