"""Where the parts of real (tiny, random) models stand in the drawing, and what they say."""

from __future__ import annotations

import pytest

from garage_nb.registry.models import spec_of
from garage_nb.widgets import machine
from garage_nb.widgets.machine import about, rows

from ..families import FAMILIES, tiny


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


def test_about_counts_in_words() -> None:
    assert about(spec_of(tiny("gpt2", layers=1), "one")) == "1 layer, 4 heads, 32 wide"
