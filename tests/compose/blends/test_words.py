"""Blends and their values as words and as JSON, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from garage_nb.compose.blends.methods import METHODS, blend_from, blend_from_json, blend_of
from garage_nb.compose.blends.value import Value, values
from garage_nb.errors import BuildError, InputError

SAID = [
    "--method slerp --t 0.3",
    "--method slerp --t self_attn=0..0.5..1/mlp=1..0/0.5",
    "--method linear --weight 0.1,0.3333333333333333 --normalize false",
    "--method task_arithmetic --weight -1..2 --lambda mlp=2/1",
    "--method ties --weight 0.5,1e-05 --density 0.2,mlp=0.1..0.9/1 --rescale true",
    "--method dare_linear --weight 0.5 --density 0.5 --seed 7",
    "--method dare_ties --weight 0.5 --normalize true --rescale false",
    "--method passthrough --scale o_proj=0/down_proj=0/1",
]


@pytest.mark.parametrize("said", SAID)
def test_a_blend_comes_back_from_its_words_and_from_json(said: str) -> None:
    blend = blend_of(said)

    assert str(blend) == said
    assert blend_of(str(blend)) == blend
    assert blend_from_json(json.loads(json.dumps(blend.to_json()))) == blend
    assert hash(blend) == hash(blend_of(said))


def test_every_method_is_said_above() -> None:
    assert {blend_of(said).method for said in SAID} == set(METHODS)


def test_words_and_numbers_make_the_same() -> None:
    by_words = blend_of("--method ties --weight 0.5,0..1 --density 0.2")

    assert blend_from("ties", {"weight": [0.5, [0, 1]], "density": 0.2}) == by_words


@pytest.mark.parametrize(
    ("said", "tensor", "depth", "number"),
    [
        (0.3, "x", 0.9, 0.3),
        ("0..1", "x", 0.25, 0.25),
        ([0, 1, 0], "x", 0.5, 1),
        ([0, 1, 0], "x", 0.75, 0.5),
        ([0, 1, 0], "x", 1, 0),
        ("mlp=1..0/0.5", "layers.0.mlp.w", 0.25, 0.75),
        ("mlp=1..0/0.5", "layers.0.attn.w", 0.25, 0.5),
        ([{"filter": "a", "value": 1}, {"filter": "ab", "value": 2}, {"value": 3}], "ab", 0, 1),
        ([{"filter": None, "value": [2, 4]}, {"filter": "ab", "value": 2}], "ab", 0.5, 3),
        ({"filter": "*", "value": "2"}, "ab", 0.5, 2),
    ],
)  # fmt: skip
def test_a_value_depends_on_name_and_depth(said: Any, tensor: str, depth: float, number: float) -> None:
    value = Value.of(said)

    assert value.at(tensor, depth) == pytest.approx(number)
    assert Value.of(str(value)) == value
    assert Value.of(value.to_json()) == value


def test_values_agree_with_mergekit_at_every_depth() -> None:
    pytest.importorskip("mergekit")
    from mergekit.config import ConditionalParameter, evaluate_setting

    gradient = [0.1, 0.9, 0.35, -2.0]
    setting = [ConditionalParameter(filter="mlp", value=gradient), ConditionalParameter(value=0.5)]
    value = Value.of([{"filter": "mlp", "value": gradient}, {"value": 0.5}])

    for tensor in ("layers.3.mlp.up", "layers.3.attn.q"):
        for depth in [i / 30 for i in range(31)]:
            assert value.at(tensor, depth) == evaluate_setting(tensor, setting, depth, validate=float)


def test_then_fills_what_is_left_open() -> None:
    assert str(Value.of("mlp=1").then(Value.of("attn=2")).then(Value.of(3)).then(Value.of(4))) == "mlp=1/attn=2/3"


@pytest.mark.parametrize(
    "said", ["", "a", "1,2", "mlp=", "m p=1", "0..", "nan", "inf", [], [[1]], {"filter": "a"}, [{"value": 1}, 2], None,
             {"value": 1, "also": 2}, {"filter": 3, "value": 1}, "1e999", [10**400]],
)  # fmt: skip
def test_what_is_no_value_is_refused(said: Any) -> None:
    with pytest.raises(InputError):
        Value.of(said)


def test_values_are_one_for_all_or_one_each() -> None:
    assert values(0.5) == (Value.of(0.5),)
    assert values("0.5,0..1") == (Value.of(0.5), Value.of([0, 1]))
    assert values([{"filter": "a", "value": 1}]) == (Value.of("a=1"),)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("--method slurp --t 1", "There is no method 'slurp' to merge by."),
        ("--method slerp", "slerp needs t."),
        ("--method slerp --t 1 --weight 2", "slerp takes no 'weight'."),
        ("--method ties --weight 1 --density 1.5", "A density of 1.5 is no share."),
        ("--method ties --weight 1 --rescale perhaps", "'perhaps' is neither true nor false."),
        ("--method dare_ties --weight 1 --seed 1.5", "'1.5' is no whole number."),
        ("--t 1", "'--t 1' says no way to merge."),
        ("--method slerp --t", "'--method slerp --t' says no way to merge."),
        ("--method 'slerp", "\"--method 'slerp\" says no way to merge."),
    ],
)  # fmt: skip
def test_what_is_no_blend_is_refused_in_words(said: str, what: str) -> None:
    with pytest.raises((InputError, BuildError)) as error:
        blend_of(said)

    assert error.value.what == what
    assert error.value.hint


@pytest.mark.parametrize(
    "data", [None, [], {}, {"method": "slerp", "t": 1, "class": "os.system"}, {"method": ["slerp"]}]
)
def test_json_of_anything_else_is_refused(data: Any) -> None:
    with pytest.raises(InputError):
        blend_from_json(data)
