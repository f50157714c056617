"""The picker in Python: every way of saying which parts, and what it leaves in a saved notebook."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import nbformat.v4 as v4
import pytest
from nbconvert import HTMLExporter

from garage_nb import Garage
from garage_nb.drawing.picture import shorten
from garage_nb.errors import GarageError, InputError, PartsLeftOut, UnavailablePartError, UnknownPartError
from garage_nb.registry.models import spec_of
from garage_nb.registry.specs import ModelSpec
from garage_nb.view.palette import AMBER
from garage_nb.widgets import LayerPicker

from ..families import tiny
from .unlike import UNLIKE, opened

SVG = "{http://www.w3.org/2000/svg}"
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


@pytest.mark.parametrize(
    ("said", "picked"),
    [
        ("attention_1.head_2", ("attention_1.head_2",)),
        ("attention_1.head_*", tuple(f"attention_1.head_{i}" for i in range(4))),
        (["attention_1.q", "attention_1.head_-1", "mlp_0"], ("ffn_0", "attention_1.head_3", "attention_1.q")),
        ("ffn_2.neuron_17,ffn_2.neuron_2", ("ffn_2.neuron_2", "ffn_2.neuron_17")),
        (("layer_2.before", "attention_3.heads"), ("layer_2.before", "attention_3.heads")),
    ],
)  # fmt: skip
def test_what_is_inside_parts_is_picked_in_the_models_order_and_read_back(
    spec: ModelSpec, said: Any, picked: tuple[str, ...]
) -> None:
    picker = LayerPicker(spec, said, changed=said)

    assert picker.value == picker.changed == picked
    assert tuple(spec.select(picker.selector)) == picked


def test_experts_are_picked_too() -> None:
    assert LayerPicker(opened("causal-qwen3_moe"), "ffn_1.expert_3, ffn_0.expert_-1").value[1] == "ffn_1.expert_3"


def test_a_module_that_is_no_part_is_refused(spec: ModelSpec) -> None:
    with pytest.raises(InputError, match="is a module, and no part"):
        LayerPicker(spec, "transformer.h.1.mlp.c_fc")


@pytest.mark.parametrize("said", [1.5, object()])
def test_what_is_no_name_is_refused(spec: ModelSpec, said: object) -> None:
    with pytest.raises(InputError, match="names no parts"):
        LayerPicker(spec, said)


def test_a_single_picker_takes_one(spec: ModelSpec) -> None:
    picker = LayerPicker(spec, "layer_1", multiple=False)

    with pytest.raises(InputError, match="takes one part, not 4"):
        picker.value = "all"

    assert picker.value == ("layer_1",)


def test_a_part_that_is_not_available_is_refused_with_its_reason() -> None:
    picker = LayerPicker(opened("causal-mllama"), "layer_0")

    with pytest.raises(UnavailablePartError, match="layer_1 of tiny is n/a: it did not run on token ids alone"):
        picker.value = ["layer_1", "layer_2"]

    assert picker.value == ("layer_0",)


def test_a_wildcard_takes_what_is_available_and_says_what_it_left_out() -> None:
    with pytest.warns(PartsLeftOut, match="layer_1"):
        picker = LayerPicker(opened("causal-mllama"), "all")

    assert picker.value == ("layer_0", "layer_2")


def test_of_a_garage_the_recipe_is_drawn_as_changed() -> None:
    garage = Garage(tiny("gpt2"))
    garage.scale("attention_1", 0.5)

    assert LayerPicker(garage).changed == ("attention_1",)
    assert LayerPicker(garage, changed=()).changed == ()


def test_it_follows_the_recipe_in_force() -> None:
    garage = Garage(tiny("gpt2"))
    picker = LayerPicker(garage)
    seen: list[tuple[str, ...]] = []
    picker.observe(lambda change: seen.append(change["new"]), "changed")

    garage.scale("attention_1.head_2", 0.5)
    garage.scale("ffn_0", 0.5)
    garage.undo()
    garage.undo()

    assert seen == [("attention_1.head_2",), ("ffn_0", "attention_1.head_2"), ("attention_1.head_2",), ()]


def test_an_edit_of_a_module_that_is_no_part_is_not_drawn_and_hinders_nothing() -> None:
    garage = Garage(tiny("gpt2"))
    picker = LayerPicker(garage)

    garage.scale("transformer.h.1.mlp.c_fc", 0.5)
    garage.scale("ffn_0", 0.5)

    assert len(garage.edits) == 2
    assert picker.changed == LayerPicker(garage).changed == ("ffn_0",)


def test_what_was_said_to_be_changed_stays_whatever_the_recipe_is() -> None:
    garage = Garage(tiny("gpt2"))
    picker = LayerPicker(garage, changed="ffn_1")

    garage.scale("attention_1", 0.5)

    assert picker.changed == ("ffn_1",)


def test_another_model_on_the_lift_is_none_of_its_business() -> None:
    garage = Garage(tiny("gpt2"))
    garage.scale("attention_1", 0.5)
    picker, first = LayerPicker(garage), garage.model

    garage.load(tiny("llama", layers=6))
    garage.scale("attention_5", 0.5)

    assert picker.target is first
    assert picker.changed == ("attention_1",)


def test_a_picker_keeps_no_garage_in_memory() -> None:
    garage = Garage(tiny("gpt2"))
    picker, gone = LayerPicker(garage), weakref.ref(garage)

    del garage
    gc.collect()

    assert gone() is None
    assert picker.changed == ()


def from_page(picker: LayerPicker, **content: Any) -> None:
    """What arrives when a page sends a message."""
    picker._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


def test_the_search_box_picks_by_any_selector(spec: ModelSpec) -> None:
    picker = LayerPicker(spec, "layer_1")

    from_page(picker, kind="pick", selector=" attention_3.head_*, 0:4:2 ")

    heads = tuple(f"attention_3.head_{i}" for i in range(4))
    assert picker.value == ("layer_0", "layer_2", *heads)
    assert picker._error == ""


@pytest.mark.parametrize("said", ["", "  ", "atention_1", "attention_3.head_9", "9:12", "<img>", None, 1.5, {}, ["a"]])
def test_a_search_for_nothing_shows_why_and_changes_nothing(spec: ModelSpec, said: Any) -> None:
    picker = LayerPicker(spec, "layer_1")

    from_page(picker, kind="pick", selector=said)

    assert picker.value == ("layer_1",)
    assert len(picker._error.splitlines()) == 2


def test_a_search_that_leaves_something_out_says_so() -> None:
    picker = LayerPicker(opened("causal-mllama"), "layer_0")

    with pytest.warns(PartsLeftOut):
        from_page(picker, kind="pick", selector="all")

    assert picker.value == ("layer_0", "layer_2")
    assert "leaves out 1 that are n/a: layer_1" in picker._error


def test_anything_else_is_refused() -> None:
    with pytest.raises(GarageError, match="A str has no parts to pick"):
        LayerPicker("showroom")


def test_the_bundle_has_the_widget_a_picture_and_a_line(spec: ModelSpec) -> None:
    data, _ = LayerPicker(spec, "0,1", changed="ffn_1")._repr_mimebundle_()

    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert data["text/plain"] == "LayerPicker(tiny, 24 parts, picked: layer_0, layer_1)"
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


def drawn(picker: LayerPicker) -> dict[str, ElementTree.Element]:
    """What the picture draws for each part, by the start of its title."""
    root = ElementTree.fromstring(picker._repr_mimebundle_()[0]["text/html"])
    return {(group.findtext(f"{SVG}title") or "").split(":")[0]: group for group in root.iter(f"{SVG}g")}


@pytest.mark.parametrize("name", UNLIKE)
def test_the_picture_is_well_formed_and_names_every_part(name: str) -> None:
    spec = opened(name)

    inside = {name for name, part in spec.parts.items() if part.extra_info.get("place") == "inside"}
    assert set(drawn(LayerPicker(spec))) == set(spec.parts) - inside


def test_the_picture_tells_two_stacks_apart_and_numbers_their_blocks() -> None:
    picker = LayerPicker(opened("seq2seq-t5"))
    root = ElementTree.fromstring(picker._repr_mimebundle_()[0]["text/html"])

    assert [text.text for text in root.findall(f".//{SVG}svg/{SVG}text")] == ["decoder", "encoder"]
    assert drawn(picker)["encoder_layer_2"].findtext(f"{SVG}text") == "2"


def test_the_picture_dashes_what_is_not_available_and_nothing_else() -> None:
    parts = drawn(LayerPicker(opened("causal-mllama")))

    dashed = [name for name, group in parts.items() if "stroke-dasharray" in group.find(f"{SVG}rect").attrib]
    assert dashed == ["layer_1"]
    assert parts["layer_1"].findtext(f"{SVG}title", "").endswith("n/a: it did not run on token ids alone")


def test_the_picture_escapes_every_text_and_needs_nothing_from_outside(spec: ModelSpec) -> None:
    hostile = replace(spec, model_id=HOSTILE, parts={HOSTILE: spec.parts["embedding"], **spec.parts})
    html = LayerPicker(hostile)._repr_mimebundle_()[0]["text/html"]

    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert html.count("http") == html.count('xmlns="http://www.w3.org/2000/svg"')
    assert ElementTree.fromstring(html) is not None


def test_the_picture_tells_what_is_picked_and_changed_inside_a_part(spec: ModelSpec) -> None:
    parts = drawn(LayerPicker(spec, "attention_1.head_*, attention_2.q", changed="attention_3.head_0"))
    title = {name: (group.findtext(f"{SVG}title") or "").partition(": ")[2] for name, group in parts.items()}

    assert parts["attention_1"].findtext(f"{SVG}text") == "attention_1 · 4 heads"
    assert title["attention_1"] == "4 heads of 8, 32 wide, 4 heads picked"
    assert title["attention_2"] == "4 heads of 8, 32 wide, q picked"
    assert title["attention_3"] == "4 heads of 8, 32 wide, 1 head changed"
    assert parts["attention_3"].find(f"{SVG}rect").get("stroke") == AMBER


def test_a_long_name_shortens_in_its_middle() -> None:
    assert shorten("ffn_1", 20) == "ffn_1"
    assert shorten("layer_norm_37_attention_post", 20) == "layer_norm…tion_post"
