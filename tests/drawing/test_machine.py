"""Where the parts of real (tiny, random) models stand in the drawing, and what they say."""

from __future__ import annotations

from itertools import pairwise

import pytest

from garage_nb.core.parts import parse
from garage_nb.drawing import machine
from garage_nb.drawing.machine import HALVES, Place, rows
from garage_nb.drawing.words import about
from garage_nb.registry.models import spec_of
from garage_nb.registry.specs import ModelSpec

from ..families import FAMILIES, tiny
from ..widgets.unlike import UNLIKE, opened


def by_name(spec: ModelSpec) -> dict[str, Place]:
    return {place.name: place for row in rows(spec) for place in row.places}


def role(name: str) -> str:
    address = parse(name)
    assert address is not None
    return address.role or ""


@pytest.mark.parametrize("model_type", FAMILIES)
def test_every_part_of_every_family_is_drawn_once_and_layers_rise_from_the_input(model_type: str) -> None:
    spec = spec_of(tiny(model_type, layers=3), model_type)

    drawn = rows(spec)

    names = [place.name for row in drawn for place in row.places]
    assert sorted(names) == sorted(
        name for name, part in spec.parts.items() if part.extra_info.get("place") != "inside"
    )
    assert [row.layer for row in drawn if row.layer is not None] == [0, 1, 2]
    assert (drawn[0].places[0].name, drawn[-1].places[0].name) == ("embedding", "output_head")


@pytest.mark.parametrize("model_type", FAMILIES)
def test_no_two_parts_of_a_row_share_a_column(model_type: str) -> None:
    for row in rows(spec_of(tiny(model_type), model_type)):
        columns = [place.column for place in row.places]
        assert columns == sorted(set(columns))


def test_attention_stands_left_ffn_right_and_what_leaves_a_branch_next_to_it() -> None:
    (layer,) = (row for row in rows(spec_of(tiny("gemma2", layers=2), "g")) if row.layer == 1)

    assert {place.name: place.column for place in layer.places} == {
        "attention_1": machine.ATTENTION,
        "layer_norm_1_attention_post": machine.ATTENTION_POST,
        "layer_norm_1_attention": machine.ATTENTION_NORM,
        "layer_1": machine.RESIDUAL,
        "layer_norm_1_ffn": machine.FFN_NORM,
        "layer_norm_1_ffn_post": machine.FFN_POST,
        "ffn_1": machine.FFN,
    }


def test_a_mixture_of_experts_shows_its_gates() -> None:
    places = [place for row in rows(spec_of(tiny("mixtral", layers=2), "m")) for place in row.places]

    assert [place.words for place in places if place.column == machine.GATE] == [
        "gate_0: chooses among 4 experts",
        "gate_1: chooses among 4 experts",
    ]


@pytest.mark.parametrize("name", UNLIKE)
def test_of_any_model_every_part_is_drawn_once_and_none_in_the_place_of_another(name: str) -> None:
    spec = opened(name)

    drawn = rows(spec)

    names = [place.name for row in drawn for place in row.places]
    assert sorted(names) == sorted(n for n, part in spec.parts.items() if part.extra_info.get("place") != "inside")
    for row in drawn:
        columns = [place.column for place in row.places]
        assert columns == sorted(set(columns))


@pytest.mark.parametrize("name", UNLIKE)
def test_a_norm_stands_in_the_row_of_a_half_of_its_kind_and_on_its_side(name: str) -> None:
    for row in rows(opened(name)):
        kinds = {place.kind for place in row.places}
        for norm in (place for place in row.places if place.kind == "layer_norm" and row.layer is not None):
            kind = next(kind for kind in HALVES if role(norm.name).startswith(kind))
            assert kind in kinds
            assert (norm.column > machine.RESIDUAL) == (kind == "ffn")


@pytest.mark.parametrize("name", UNLIKE)
def test_the_stream_that_leaves_a_block_stands_in_the_blocks_last_row(name: str) -> None:
    drawn = rows(opened(name))
    last = [row for row, after in pairwise(drawn) if (row.stack, row.layer) != (after.stack, after.layer)]

    leaving = [row for row in drawn if any(place.kind == "full_layer" for place in row.places)]
    assert leaving == [row for row in last if row.layer is not None]


def test_cross_attention_has_a_row_of_its_own_with_its_norm() -> None:
    drawn = [
        [place.name for place in row.places]
        for row in rows(opened("seq2seq-t5"))
        if (row.stack, row.layer) == ("decoder", 1)
    ]

    assert drawn == [
        ["attention_1", "layer_norm_1_attention"],
        ["cross_attention_1", "layer_norm_1_cross_attention", "layer_1", "layer_norm_1_ffn", "ffn_1"],
    ]


def test_two_stacks_are_told_apart_and_one_has_no_name() -> None:
    two = [row.stack for row in rows(opened("seq2seq-bart"))]

    assert two == sorted(two, reverse=True)
    assert set(two) == {"encoder", "decoder"}
    assert {row.stack for row in rows(opened("causal-mamba"))} == {""}


def test_blocks_show_their_number_and_other_parts_their_name() -> None:
    places = by_name(opened("seq2seq-t5"))

    labels = {name: places[name].label for name in ("encoder_layer_2", "layer_0", "encoder_ffn_1", "layer_norm_final")}
    assert labels == {
        "encoder_layer_2": "2", "layer_0": "0", "encoder_ffn_1": "encoder_ffn_1", "layer_norm_final": ""
    }  # fmt: skip
    assert places["encoder_layer_2"].words.startswith("encoder_layer_2: ")


def test_what_is_not_available_says_why() -> None:
    places = by_name(opened("causal-mllama"))

    reason = "it did not run on token ids alone"
    assert {name: place.unavailable for name, place in places.items() if place.unavailable} == {"layer_1": reason}
    assert places["layer_1"].words == f"layer_1: residual stream leaving block 1, 32 wide; n/a: {reason}"


@pytest.mark.parametrize(
    ("model_type", "name", "words"),
    [
        ("gpt2", "attention_1", "attention_1: 4 heads of 8, 32 wide"),
        ("llama", "attention_1", "attention_1: 4 heads of 8 sharing 2 key-value heads, 32 wide"),
        ("gpt2", "ffn_0", "ffn_0: 32 wide, 128 inside"),
        ("gpt2", "layer_2", "layer_2: residual stream leaving block 2, 32 wide"),
        ("gpt2", "position_embedding", "position_embedding: 64 positions to 32 wide"),
        ("llama", "rotary_emb", "rotary_emb: turns queries and keys by position, heads of 8"),
        ("llama", "output_head", "output_head: 32 wide to 64 tokens"),
    ],
)  # fmt: skip
def test_a_part_says_what_it_is(model_type: str, name: str, words: str) -> None:
    places = [place for row in rows(spec_of(tiny(model_type), model_type)) for place in row.places]

    assert words in [place.words for place in places if place.name == name]


def inside(spec: ModelSpec, name: str) -> list[tuple[str, int]]:
    return [(each.name, each.count) for each in by_name(spec)[name].inside]


@pytest.mark.parametrize(
    ("spec", "name", "drawn"),
    [
        ("causal-qwen3_moe", "attention_1", [("heads", 0), ("head", 4), ("q", 0), ("k", 0), ("v", 0), ("pattern", 0)]),
        ("causal-qwen3_moe", "ffn_1", [("experts", 0), ("expert", 4)]),
        ("causal-qwen3_moe", "gate_1", [("choices", 0)]),
        ("causal-qwen3_moe", "layer_1", [("before", 0), ("mid", 0)]),
        ("causal-qwen3_moe", "embedding", []),
        ("causal-mllama", "layer_1", []),
    ],
)
def test_what_can_be_picked_inside_a_part(spec: str, name: str, drawn: list[tuple[str, int]]) -> None:
    assert inside(opened(spec), name) == drawn


def test_neurons_are_too_many_to_draw_but_for_all_of_them() -> None:
    assert inside(spec_of(tiny("llama"), "l"), "ffn_1") == [("neurons", 0)]


@pytest.mark.parametrize("name", UNLIKE)
def test_all_that_is_drawn_inside_is_a_name_the_model_has_and_is_na_only_with_a_reason(name: str) -> None:
    spec = opened(name)
    names = {
        f"{place.name}.{each.name}_{i}" if each.count else f"{place.name}.{each.name}": each.unavailable
        for place in by_name(spec).values()
        for each in place.inside
        for i in range(each.count or 1)
    }

    assert [spec.name(each) for each in names] == list(names)
    assert {each: spec.why_not(each) for each in names} == names


def test_about_counts_in_words() -> None:
    assert about(spec_of(tiny("gpt2", layers=1), "one")) == "1 layer, 4 heads, 32 wide"


def test_about_counts_both_stacks_and_leaves_out_heads_where_there_are_none() -> None:
    assert about(opened("seq2seq-t5")) == "3 encoder and 3 decoder layers, 4 heads, 32 wide"
    assert about(opened("causal-mamba")) == "3 layers, 32 wide"
