"""Parts coloured by numbers: of a capture or of anything else, on the page and in the static picture alike."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

from garage_nb import Garage
from garage_nb.drawing.legend import legend
from garage_nb.drawing.shade import Shade
from garage_nb.errors import InputError, UnknownPartError
from garage_nb.registry.models import spec_of
from garage_nb.registry.specs import ModelSpec
from garage_nb.snapshot.measures import defined
from garage_nb.view.palette import AMOUNTS, CHANGES
from garage_nb.widgets import LayerPicker

from ..families import PROMPT, tiny

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return spec_of(tiny("gpt2", layers=4), "tiny")


@pytest.fixture
def picker(spec: ModelSpec) -> LayerPicker:
    return LayerPicker(spec)


def parts(picker: LayerPicker) -> dict[str, list[str]]:
    return dict(picker._shade["parts"])


def test_a_statistic_of_a_capture_is_shown_under_its_definition() -> None:
    garage = Garage(tiny("gpt2"))
    shots = garage.capture(PROMPT, layers="all,attention_1.head_*")
    picker = LayerPicker(garage)

    picker.shade(shots, "sparsity")

    assert picker._shade["told"] == defined("sparsity", shots.tau)
    assert set(parts(picker)) == set(shots)
    low, high = min(shots.values_of("sparsity")), max(shots.values_of("sparsity"))
    assert picker.shading.numbers == dict(zip(shots, shots.values_of("sparsity"), strict=True))
    assert (picker.shading.scale.low, picker.shading.scale.high) == (low, high)


def test_where_nothing_is_finite_that_is_said_and_no_scale_is_drawn() -> None:
    shade = Shade({"ffn_0": math.nan, "ffn_1": math.inf}, "KL, nats")

    assert shade.told == "KL, nats: nowhere a finite number"
    assert "nowhere a finite number" in legend(shade)
    assert "<svg" not in legend(shade)
    assert "<svg" in legend(replace(shade, numbers={"ffn_0": 1.0, "ffn_1": math.nan}))


def test_the_norm_is_meant_where_nothing_is_said_and_a_mean_is_around_zero() -> None:
    garage = Garage(tiny("gpt2"))
    shots, picker = garage.capture(PROMPT), LayerPicker(garage)

    picker.shade(shots)
    assert picker._shade["told"] == "norm ‖x‖, mean over tokens"
    assert picker._shade["stops"] == list(AMOUNTS)

    picker.shade(shots, "mean")
    assert picker._shade["stops"] == list(CHANGES)
    assert picker.shading.scale.low == -picker.shading.scale.high


def test_any_numbers_by_name_are_taken_under_the_catalogues_names(picker: LayerPicker) -> None:
    picker.shade({"attention_1.head_-1": 0.2, "mlp_2": torch.tensor(4.0), "layer_0": 1}, "what it is")

    assert {name: text for name, (text, _, _) in parts(picker).items()} == {
        "attention_1.head_3": "0.200", "ffn_2": "4", "layer_0": "1"
    }  # fmt: skip
    assert parts(picker)["attention_1.head_3"][1] == AMOUNTS[0]
    assert parts(picker)["ffn_2"][1] == AMOUNTS[-1]
    assert (picker._shade["told"], picker._shade["ends"]) == ("what it is", ["0.200", "4"])


def test_numbers_below_zero_are_coloured_around_it_and_the_legend_says_how_far_they_go(picker: LayerPicker) -> None:
    picker.shade({"layer_0": -1, "layer_1": 0, "layer_2": 4}, "difference")

    assert parts(picker)["layer_1"][1] == CHANGES[len(CHANGES) // 2]
    assert (picker._shade["told"], picker._shade["ends"]) == ("difference: -1 to 4", ["-4", "4"])


def test_what_is_not_finite_has_its_sign_and_no_colour(picker: LayerPicker) -> None:
    picker.shade({"layer_0": math.nan, "layer_1": 1, "layer_2": math.inf})

    assert parts(picker)["layer_0"] == ["–", "", ""]
    assert parts(picker)["layer_2"][1:] == ["", ""]
    assert parts(picker)["layer_1"][1]


def test_none_takes_the_colours_back(picker: LayerPicker) -> None:
    plain = picker._picture()
    picker.shade({"layer_0": 1})
    assert picker._picture() != plain

    picker.shade(None)

    assert picker._shade == {}
    assert picker._picture() == plain


@pytest.mark.parametrize(
    ("numbers", "what", "error"),
    [
        ({}, None, "no finite number"), ({"layer_0": math.nan}, None, "no finite number"),
        ({"transformer.h.0.mlp.c_fc": 1.0}, None, "no finite number"), ({"layer_0": "a lot"}, None, "has no number"),
        ({"layer_0": [1, 2]}, None, "has no number"), ([1, 2], None, "A list has no number"),
    ],
)  # fmt: skip
def test_what_cannot_be_coloured_is_refused_and_the_colours_stay(
    picker: LayerPicker, numbers: Any, what: Any, error: str
) -> None:
    picker.shade({"layer_1": 1})

    with pytest.raises(InputError, match=error):
        picker.shade(numbers, what)

    assert list(parts(picker)) == ["layer_1"]


def test_a_name_the_model_does_not_have_is_refused(picker: LayerPicker) -> None:
    with pytest.raises(UnknownPartError, match="'layer_9' is no part"):
        picker.shade({"layer_9": 1})


def test_an_unknown_statistic_is_refused() -> None:
    garage = Garage(tiny("gpt2"))

    with pytest.raises(InputError, match="no statistic 'nrom'"):
        LayerPicker(garage).shade(garage.capture(PROMPT), "nrom")


def test_the_picture_has_the_same_numbers_colours_and_legend(picker: LayerPicker) -> None:
    picker.shade({"attention_1.head_0": -1, "attention_1.head_2": 2, "ffn_2": 3, "layer_1": -3}, "effect")

    root = ElementTree.fromstring(picker._picture())
    groups = {(group.findtext(f"{SVG}title") or "").split(":")[0]: group for group in root.iter(f"{SVG}g")}
    ffn = groups["ffn_2"]
    assert ffn.find(f"{SVG}rect").get("fill") == parts(picker)["ffn_2"][1]
    assert (ffn.findtext(f"{SVG}text"), ffn.find(f"{SVG}text").get("fill")) == ("ffn_2 · 3", parts(picker)["ffn_2"][2])
    assert ffn.findtext(f"{SVG}title", "").endswith("effect 3")
    strip = groups["attention_1"].findall(f"{SVG}rect")[1:]
    assert [rect.findtext(f"{SVG}title") for rect in strip] == [
        "attention_1.head_0: effect -1",
        "attention_1.head_2: effect 2",
    ]
    assert "".join(root.find(".//figcaption/div").itertext()).split() == ["effect", "-3", "3"]
