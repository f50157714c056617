"""What the probe says of a family is what its source says."""

from __future__ import annotations

from typing import Any

import pytest

from garage_nb.registry.decompose import spec_of
from garage_nb.registry.specs import ModelSpec, PartSpec, PartType
from tests.families import tiny

from .models import opened
from .rows import Attention, Family, Feed, Half
from .table import FAMILIES

HALVES = {PartType.ATTENTION, PartType.CROSS_ATTENTION, PartType.MIXER, PartType.FFN}


def named(family: Family) -> str:
    return f"{family.entry}-{family.stack}{family.layer}"


every_family = pytest.mark.parametrize("family", FAMILIES, ids=named)


@every_family
def test_halves_are_those_of_the_source(family: Family) -> None:
    _, spec = opened(family.entry)

    for kind, half in family.halves.items():
        part = spec.parts[f"{family.stack}{kind}_{family.layer}"]
        assert part.module_path == family.path(half.module)
        assert part.read_at == family.path(half.adds or half.module)
        assert part.extra_info.get("times", 1.0) == half.times
        assert part.unavailable == ""
        assert part.extra_info.get("spread", []) == [family.path(path) for path in half.spread]


@every_family
def test_a_block_has_no_half_and_no_norm_but_those(family: Family) -> None:
    _, spec = opened(family.entry)

    halves = {name for name, part in _of_block(spec, family).items() if part.part_type in HALVES}
    norms = {
        part.module_path: f"{name.removeprefix(_norms(family))} {part.extra_info['place']}"
        for name, part in _of_block(spec, family).items()
        if part.part_type is PartType.LAYER_NORM
    }

    assert halves == {f"{family.stack}{kind}_{family.layer}" for kind in family.halves}
    assert norms == {family.path(path): role for path, role in family.norms.items()}
    assert spec.parts[f"{family.stack}layer_{family.layer}"].module_path == family.block
    assert spec.parts[f"{family.stack}layer_{family.layer}"].extra_info["parallel"] is family.parallel


@every_family
def test_queries_keys_values_and_heads(family: Family) -> None:
    model, spec = opened(family.entry)

    for kind, half in family.halves.items():
        if isinstance(half, Attention):
            part = spec.parts[f"{family.stack}{kind}_{family.layer}"]
            info = part.extra_info
            assert info["projection"] == family.path(half.enters)
            assert info["qkv"] == {"kind": half.qkv, "from": [family.path(path) for path in half.sources]}
            assert (part.num_heads, part.head_dim, info["num_kv_heads"]) == (4, half.head_dim, half.kv_heads)
            assert _columns(model.get_submodule(family.path(half.enters))) == 4 * half.head_dim


@every_family
def test_neurons_and_experts(family: Family) -> None:
    model, spec = opened(family.entry)
    half = family.halves.get("ffn")
    if not isinstance(half, Feed):
        assert "mixer" in family.halves
        assert f"{family.stack}ffn_{family.layer}" not in spec.parts
        return
    part = spec.parts[f"{family.stack}ffn_{family.layer}"]

    assert part.intermediate_dim == half.neurons
    assert part.extra_info.get("projection", "") == (family.path(half.enters) if half.enters else "")
    if half.enters:
        assert _columns(model.get_submodule(family.path(half.enters))) == half.neurons
    assert part.extra_info.get("experts", "") == (family.path(half.experts) if half.experts else "")
    if half.experts:
        assert (part.extra_info["num_experts"], part.extra_info["experts_per_token"]) == (4, 2)
        assert spec.parts[f"gate_{family.layer}"].module_path == family.path(half.router)


@every_family
def test_below_the_first_block_and_above_the_last(family: Family) -> None:
    _, spec = opened(family.entry)
    asked = {name: part for name, part in spec.parts.items() if part.layer_idx is None}

    found = {name: part.module_path for name, part in asked.items() if name in family.edges}

    assert found == family.edges
    if len({other.layer for other in FAMILIES if other.entry == family.entry and not other.stack}) == 1:
        stacks = [other for other in FAMILIES if other.entry == family.entry]
        assert set(asked) == {name for other in stacks for name in other.edges}


@pytest.mark.parametrize(
    ("model_type", "changes", "qkv", "kv_heads", "norms", "parallel"),
    [
        (
            "falcon",
            {"new_decoder_architecture": True, "num_kv_heads": 2},
            "grouped",
            2,
            {"ln_attn": "attention", "ln_mlp": "ffn"},
            True,
        ),
        (
            "falcon",
            {"multi_query": False, "parallel_attn": False},
            "grouped",
            4,
            {"input_layernorm": "attention", "post_attention_layernorm": "ffn"},
            False,
        ),
        (
            "gpt_neox",
            {"use_parallel_residual": False},
            "grouped",
            4,
            {"input_layernorm": "attention", "post_attention_layernorm": "ffn"},
            False,
        ),
        ("stablelm", {"use_parallel_residual": True}, "split", 2, {"input_layernorm": "attention"}, True),
    ],
    ids=["falcon-new", "falcon-old", "gpt_neox-sequential", "stablelm-parallel"],
)
def test_settings_that_change_the_block(
    model_type: str, changes: dict[str, Any], qkv: str, kv_heads: int, norms: dict[str, str], parallel: bool
) -> None:
    spec = spec_of(tiny(model_type, layers=2, **changes))
    attention = spec.get_attention(1)

    found = {
        part.module_path.rpartition(".")[2]: name.removeprefix("layer_norm_1_")
        for name, part in spec.parts.items()
        if part.part_type is PartType.LAYER_NORM and part.layer_idx == 1
    }

    assert (attention.extra_info["qkv"]["kind"], attention.extra_info["num_kv_heads"]) == (qkv, kv_heads)
    assert found == norms
    assert spec.get_full_layer(1).extra_info["parallel"] is parallel


def test_norms_of_opt_with_norms_on_the_stream() -> None:
    spec = spec_of(tiny("opt", do_layer_norm_before=False, ffn_dim=64, word_embed_proj_dim=32))

    places = {name: part.extra_info["place"] for name, part in spec.parts.items() if name.startswith("layer_norm_1")}

    assert places == {"layer_norm_1_attention_post": "stream", "layer_norm_1_ffn_post": "stream"}
    assert spec.parts["layer_norm_1_attention_post"].module_path.endswith("self_attn_layer_norm")


def test_norms_of_doge_stand_before_the_halves_though_its_sums_are_not_known() -> None:
    _, spec = opened("causal-doge")

    outer = {
        name: (part.module_path, part.extra_info["place"])
        for name, part in spec.parts.items()
        if name.startswith("layer_norm_1") and "self_attn" not in part.module_path
    }

    assert outer == {
        "layer_norm_1_attention": ("model.layers.1.input_layernorm", "pre"),
        "layer_norm_1_ffn": ("model.layers.1.post_attention_layernorm", "pre"),
    }
    assert spec.parts["layer_norm_1_q_norm"].extra_info["place"] == "inside"


@pytest.mark.parametrize("family", [family for family in FAMILIES if not family.stack], ids=named)
def test_every_block_of_the_table_was_proved(family: Family) -> None:
    _, spec = opened(family.entry)

    report = spec.report()

    assert report.ok
    assert all(proof.error is not None and 0 <= proof.error <= (proof.tolerance or 0) for proof in spec.proofs)
    assert {proof.layer for proof in spec.proofs} == {
        name for name, part in spec.parts.items() if part.part_type is PartType.FULL_LAYER
    }


@pytest.mark.parametrize(
    ("entry", "claim"),
    [
        ("causal-llama", "before + attention + ffn = after"),
        ("causal-granite", "before + 0.5 · attention + 0.5 · ffn = after"),
        ("causal-mamba", "before + mixer = after"),
        ("masked-bert", "before + attention = what enters LayerNorm; before + ffn = what enters LayerNorm"),
    ],
)
def test_what_a_proof_claims(entry: str, claim: str) -> None:
    assert {proof.claim for proof in opened(entry)[1].proofs} == {claim}


def test_only_falcon_of_these_writes_into_what_it_gave() -> None:
    marked = {
        family.entry
        for family in FAMILIES
        for part in opened(family.entry)[1].parts.values()
        if part.extra_info.get("overwritten")
    }

    assert marked == {"causal-falcon"}


@pytest.mark.parametrize(
    ("entry", "encoder", "decoder"),
    [
        ("seq2seq-t5", "encoder.embed_tokens", "decoder.embed_tokens"),
        ("seq2seq-bart", "model.encoder.embed_tokens", "model.decoder.embed_tokens"),
    ],
)
def test_each_stack_has_its_own_embedding(entry: str, encoder: str, decoder: str) -> None:
    parts = opened(entry)[1].parts

    found = [parts[name].module_path for name in ("encoder_embedding", "embedding") if name in parts]

    assert found == [encoder, decoder]


def _of_block(spec: ModelSpec, family: Family) -> dict[str, PartSpec]:
    return {
        name: part
        for name, part in spec.parts.items()
        if part.layer_idx == family.layer and name.startswith("encoder_") == bool(family.stack)
    }


def _norms(family: Family) -> str:
    return f"{family.stack}layer_norm_{family.layer}_"


def _columns(projection: Any) -> int:
    """How many numbers enter; Conv1D keeps its weight the other way round."""
    known = getattr(projection, "in_features", None)
    return int(known if known is not None else projection.weight.shape[0])


def test_the_table_names_modules_that_exist() -> None:
    for family in FAMILIES:
        modules = dict(opened(family.entry)[0].named_modules())
        halves: list[Half] = list(family.halves.values())
        paths = [path for half in halves for path in (half.module, half.enters, half.adds, *half.spread) if path]
        assert all(family.path(path) in modules for path in [*paths, *family.norms]), named(family)
