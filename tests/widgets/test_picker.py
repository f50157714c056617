"""The picker in Python: every way of saying which parts, and what it leaves in a saved notebook."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import nbformat.v4 as v4
import pytest
from nbconvert import HTMLExporter

from garage_nb import Garage
from garage_nb.errors import GarageError, InputError, UnknownPartError
from garage_nb.registry.models import spec_of
from garage_nb.registry.specs import ModelSpec
from garage_nb.widgets import LayerPicker
from garage_nb.widgets.picture import shorten

from ..families import tiny

HOSTILE = '<script>alert("x")</script>&'


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return spec_of(tiny("gpt2", layers=4), "tiny")


@pytest.mark.parametrize(
    ("said", "picked"),
    [
        (None, ()), ("", ()), ([], ()), ("layer_1", ("layer_1",)), (-1, ("layer_3",)), ("0,2", ("layer_0", "layer_2")),
        ("attention_*", ("attention_0", "attention_1", "attention_2", "attention_3")),
        (("layer_3", "ffn_0", "layer_3"), ("ffn_0", "layer_3")), ("mlp_2", ("ffn_2",)),
        ("transformer.h.1", ("layer_1",)),
    ],
)  # fmt: skip
def test_value_takes_any_selector_and_keeps_the_models_order(
    spec: ModelSpec, said: Any, picked: tuple[str, ...]
) -> None:
    picker = LayerPicker(spec, said)
    assert picker.value == picked

    picker.value = "embedding"
    picker.value = said
    assert picker.value == picked


def test_selector_says_the_value_back(spec: ModelSpec) -> None:
    picker = LayerPicker(spec, ["layer_2", "attention_3"])

    assert picker.selector == "layer_2,attention_3"
    assert tuple(spec.select(picker.selector)) == picker.value


def test_an_unknown_name_is_refused_with_the_nearest_and_nothing_changes(spec: ModelSpec) -> None:
    picker = LayerPicker(spec, "layer_1")

    with pytest.raises(UnknownPartError, match="'atention_1' is no part of tiny") as told:
        picker.value = ["layer_0", "atention_1"]

    assert "attention_1" in told.value.hint
    assert picker.value == ("layer_1",)


def test_a_refusal_inside_held_notifications_changes_nothing_either(spec: ModelSpec) -> None:
    picker = LayerPicker(spec, "layer_1")

    with pytest.raises(UnknownPartError), picker.hold_trait_notifications():
        picker.value = "layer_99"

    assert picker.value == ("layer_1",)


def test_a_head_is_refused_rather_than_widened_but_counts_as_changed(spec: ModelSpec) -> None:
    with pytest.raises(InputError, match="inside a part"):
        LayerPicker(spec, "attention_1.head_2")

    assert LayerPicker(spec, changed="attention_1.head_2").changed == ("attention_1",)


@pytest.mark.parametrize("said", [1.5, object()])
def test_what_is_no_name_is_refused(spec: ModelSpec, said: object) -> None:
    with pytest.raises(InputError, match="names no parts"):
        LayerPicker(spec, said)


def test_a_single_picker_takes_one(spec: ModelSpec) -> None:
    picker = LayerPicker(spec, "layer_1", multiple=False)

    with pytest.raises(InputError, match="takes one part, not 4"):
        picker.value = "all"

    assert picker.value == ("layer_1",)


def test_of_a_garage_the_recipe_is_drawn_as_changed() -> None:
    garage = Garage(tiny("gpt2"))
    garage.scale("attention_1", 0.5)

    assert LayerPicker(garage).changed == ("attention_1",)
    assert LayerPicker(garage, changed=()).changed == ()


def test_anything_else_is_refused() -> None:
    with pytest.raises(GarageError, match="A str has no parts to pick"):
        LayerPicker("showroom")


def test_the_bundle_has_the_widget_a_picture_and_a_line(spec: ModelSpec) -> None:
    data, _ = LayerPicker(spec, "0,1", changed="ffn_1")._repr_mimebundle_()

    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert data["text/plain"] == "LayerPicker(tiny, 2 of 24 parts: layer_0, layer_1)"
    assert "Picked: layer_0, layer_1. Changed: ffn_1." in data["text/html"]


def test_an_exported_notebook_shows_the_picture_without_a_kernel(spec: ModelSpec) -> None:
    data, metadata = LayerPicker(spec, "ffn_1")._repr_mimebundle_()
    shown = v4.new_output("display_data", data, metadata=metadata)
    notebook = v4.new_notebook(cells=[v4.new_code_cell("picker", outputs=[shown])])

    page, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)

    assert "Picked: ffn_1." in page
    assert "<title>attention_3: 4 heads of 8, 32 wide</title>" in page


def test_a_closed_picker_shows_nothing(spec: ModelSpec) -> None:
    picker = LayerPicker(spec)
    picker.close()

    assert picker._repr_mimebundle_ is None


def test_the_picture_is_well_formed_and_names_every_part(spec: ModelSpec) -> None:
    root = ElementTree.fromstring(LayerPicker(spec, "ffn_1")._repr_mimebundle_()[0]["text/html"])

    titles = [title.text or "" for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert sorted(title.split(":")[0] for title in titles) == sorted(spec.parts)


def test_the_picture_escapes_every_text_and_needs_nothing_from_outside(spec: ModelSpec) -> None:
    hostile = replace(spec, model_id=HOSTILE, parts={HOSTILE: spec.parts["embedding"], **spec.parts})
    html = LayerPicker(hostile)._repr_mimebundle_()[0]["text/html"]

    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert html.count("http") == html.count('xmlns="http://www.w3.org/2000/svg"')
    assert ElementTree.fromstring(html) is not None


def test_a_long_name_shortens_in_its_middle() -> None:
    assert shorten("ffn_1") == "ffn_1"
    assert shorten("layer_norm_37_attention_post") == "layer_norm…tion_post"
