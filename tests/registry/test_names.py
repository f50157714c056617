"""Every way to say a part comes out as one catalogue name, and what is no part is refused in two lines."""

from __future__ import annotations

import random
import string
from typing import Any

import pytest

from garage_nb.core.parts import KINDS, SYNONYMS, Part, parse
from garage_nb.errors import UnknownPartError
from garage_nb.registry.decompose import spec_of
from garage_nb.registry.specs import ModelSpec, PartType


def every_name(spec: ModelSpec) -> list[str]:
    units = [
        f"{name}.{unit}"
        for name, part in spec.parts.items()
        if "projection" in part.extra_info
        for unit in (("heads", "head_1") if part.part_type is PartType.ATTENTION else ("neurons", "neuron_17"))
    ]
    return [*spec.parts, *units]


def test_every_name_of_every_family_reads_back_as_itself(any_model: Any) -> None:
    spec = spec_of(any_model)

    for name in every_name(spec):
        assert str(parse(name)) == name
        assert spec.name(name) == name
        assert spec.select(name) == [name]


def test_every_path_of_a_part_is_that_part(any_model: Any) -> None:
    spec = spec_of(any_model)

    for name, part in spec.parts.items():
        assert spec.name(part.module_path) == (name if part.read_at == part.module_path else part.module_path)
        assert any_model.get_submodule(part.module_path) is not None


def test_a_module_that_is_no_part_keeps_its_path(llama: Any) -> None:
    assert spec_of(llama).name("model.layers.1.mlp.up_proj") == "model.layers.1.mlp.up_proj"
    assert spec_of(llama).site("model.layers.1.mlp.up_proj").path == "model.layers.1.mlp.up_proj"


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("layer_-1", "layer_2"),
        ("attention_-3", "attention_0"),
        ("mlp_1", "ffn_1"),
        ("feed_forward_1", "ffn_1"),
        ("self_attn_0", "attention_0"),
        ("block_2", "layer_2"),
        ("norm_final", "layer_norm_final"),
        ("norm_1_ffn", "layer_norm_1_ffn"),
        ("lm_head", "output_head"),
        ("unembed", "output_head"),
        ("embed", "embedding"),
        ("attention_-1.head_-1", "attention_2.head_3"),
        ("ffn_0.neuron_-1", "ffn_0.neuron_63"),
        ("mlp_0.neurons", "ffn_0.neurons"),
        ("  layer_1  ", "layer_1"),
        ("model.layers.1.self_attn", "attention_1"),
        ("model.norm", "layer_norm_final"),
        ("blocks.1.hook_resid_post", "layer_1"),
        ("blocks.1.hook_resid_pre", "layer_1.before"),
        ("blocks.0.hook_resid_pre", "layer_0.before"),
        ("blocks.1.hook_resid_mid", "layer_1.mid"),
        ("blocks.1.attn.hook_rot_q", "attention_1.q"),
        ("blocks.1.attn.hook_rot_k", "attention_1.k"),
        ("blocks.1.attn.hook_v", "attention_1.v"),
        ("blocks.1.attn.hook_pattern", "attention_1.pattern"),
        ("self_attn_-1.pattern", "attention_2.pattern"),
        ("block_1.mid", "layer_1.mid"),
        ("logits", "output_head"),
        ("blocks.2.hook_attn_out", "attention_2"),
        ("blocks.2.hook_mlp_out", "ffn_2"),
        ("blocks.0.attn.hook_z", "attention_0.heads"),
        ("blocks.0.mlp.hook_post", "ffn_0.neurons"),
        ("hook_embed", "embedding"),
        ("ln_final.hook_normalized", "layer_norm_final"),
    ],
)
def test_one_door_for_all_spellings(llama: Any, asked: str, name: str) -> None:
    assert spec_of(llama).name(asked) == name


def test_without_rotation_queries_have_one_name(gpt2: Any) -> None:
    spec = spec_of(gpt2)

    assert spec.name("blocks.1.attn.hook_q") == "attention_1.q"
    with pytest.raises(UnknownPartError):
        spec.name("blocks.1.attn.hook_rot_q")


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("all", ["layer_0", "layer_1", "layer_2"]),
        ("0,2", ["layer_0", "layer_2"]),
        ("0,-1", ["layer_0", "layer_2"]),
        ("-1", ["layer_2"]),
        (1, ["layer_1"]),
        ([0, "attention_1"], ["layer_0", "attention_1"]),
        (range(2), ["layer_0", "layer_1"]),
        ("0:2", ["layer_0", "layer_1"]),
        ("::2", ["layer_0", "layer_2"]),
        ("-2:", ["layer_1", "layer_2"]),
        ("::-1", ["layer_2", "layer_1", "layer_0"]),
        ("attention_*", ["attention_0", "attention_1", "attention_2"]),
        ("mlp_*", ["ffn_0", "ffn_1", "ffn_2"]),
        ("layer_*", ["layer_0", "layer_1", "layer_2"]),
        ("attention_*.q", ["attention_0.q", "attention_1.q", "attention_2.q"]),
        ("layer_*.mid", ["layer_0.mid", "layer_1.mid", "layer_2.mid"]),
        ("ffn_*.neurons", ["ffn_0.neurons", "ffn_1.neurons", "ffn_2.neurons"]),
        ("attention_1.head_*", [f"attention_1.head_{head}" for head in range(4)]),
        ("attention_-1.head_*", [f"attention_2.head_{head}" for head in range(4)]),
        ("attention_*.head_*", [f"attention_{layer}.head_{head}" for layer in range(3) for head in range(4)]),
        ("ffn_0.neuron_*", [f"ffn_0.neuron_{neuron}" for neuron in range(64)]),
        ("layer_1, layer_1, 1", ["layer_1"]),
    ],
)
def test_a_selector_names_many(llama: Any, selector: Any, names: list[str]) -> None:
    assert spec_of(llama).select(selector) == names


def test_norms_are_a_kind_of_their_own(llama: Any) -> None:
    chosen = spec_of(llama).select("layer_norm_*")

    assert len(chosen) == 7
    assert all(name.startswith("layer_norm_") for name in chosen)


@pytest.mark.parametrize(
    "selector",
    [
        "", " ", ",", "layer_3", "layer_-4", "3", "-4", "7:", "0:4", "-4:2", "2:1", "0:2:0", "a:b",
        "1:2:3:4", "layr_1", "attention",
        "attention_9_*", "nothing_*", "*", "attention_0.head_4", "attention_0.head_-5", "ffn_0.neuron_64",
        "ffn_0.heads", "attention_0.neurons", "layer_0.heads",
        "attention_0.neuron_*", "ffn_0.unit_*", "layer_0.head_*", "attention_9.head_*", "layer_0.before_*",
        "gate_0", "position_embedding",
        "blocks.9.hook_resid_post", "blocks.9.hook_resid_pre", "blocks.0.attn.hook_q", "attention_0.q_1",
        "attention_0.mid", "layer_0.q", "layer_0.before_0", "ffn_0.k", "model.layers.7", "0,1,nine", "²",
        "layer_" + "9" * 5000, [], [""], None, 3.5,
    ],
)  # fmt: skip
def test_what_is_no_part_is_refused_in_two_lines(llama: Any, selector: Any) -> None:
    with pytest.raises(UnknownPartError) as caught:
        spec_of(llama).select(selector)

    assert len(str(caught.value).split("\n")) == 2
    assert caught.value.hint


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("layr_2", "layer_2"),
        ("atention_1", "attention_1"),
        ("ffn_1.neuron", "ffn_1.neurons"),
        ("model.layers.1.mlpp", "model.layers.1.mlp"),
    ],
)
def test_the_nearest_names_are_told(llama: Any, asked: str, near: str) -> None:
    with pytest.raises(UnknownPartError) as caught:
        spec_of(llama).name(asked)

    assert near in caught.value.hint


def test_one_wrong_name_in_a_list_refuses_the_list(llama: Any) -> None:
    with pytest.raises(UnknownPartError, match="layer_7"):
        spec_of(llama).select(["layer_0", "layer_7"])


def test_random_text_is_a_part_or_an_unknown_part(llama: Any) -> None:
    spec, rng = spec_of(llama), random.Random(0)
    pieces = [*KINDS, *SYNONYMS, "head", "neurons", "blocks", "hook_z", "all", *"_.-:*,0123 \n²٣", *string.printable]
    refusals: list[str] = []

    for _ in range(4000):
        text = "".join(rng.choices(pieces, k=rng.randint(0, 6)))
        try:
            chosen = spec.select(text)
        except UnknownPartError as error:
            refusals.append(str(error))
        else:
            assert all(spec.name(name) == name for name in chosen)

    assert 0 < len(refusals) < 4000
    assert all(refusal.count("\n") == 1 for refusal in refusals)


def test_random_addresses_read_back_as_themselves() -> None:
    rng = random.Random(1)

    for _ in range(500):
        kind = rng.choice(["attention", "ffn"])
        unit = {"attention": "head", "ffn": "neuron"}[kind]
        part = Part(kind, rng.randint(-99, 99), None, unit, rng.randint(-999, 999))

        assert parse(str(part)) == part
        assert parse(str(part.whole)) == part.whole


def test_part_types_understand_other_names() -> None:
    assert PartType("self_attention") is PartType.ATTENTION
    assert PartType("mlp") is PartType.FFN
    assert PartType("lm_head") is PartType.OUTPUT_HEAD
    assert PartType("layer") is PartType.FULL_LAYER
    with pytest.raises(ValueError, match="carburettor"):
        PartType("carburettor")
