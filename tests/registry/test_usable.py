"""What a selector means where something of what it meets is n/a: the rest, and it says so."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import pytest

from garage_nb.errors import PartsLeftOut, UnavailablePartError
from garage_nb.garage import Garage
from garage_nb.registry.decompose import spec_of
from garage_nb.registry.specs import ModelSpec


def without(spec: ModelSpec, *names: str) -> ModelSpec:
    parts = {name: replace(part, unavailable="made so") if name in names else part for name, part in spec.parts.items()}
    return replace(spec, parts=parts)


@pytest.mark.parametrize(
    ("selector", "left"),
    [
        ("attention_*", ["attention_0", "attention_2"]),
        ("attention_*.heads", ["attention_0.heads", "attention_2.heads"]),
        ("attention_*, layer_0", ["attention_0", "attention_2", "layer_0"]),
    ],
)
def test_a_wildcard_leaves_out_what_is_unavailable_and_says_so(llama: Any, selector: str, left: list[str]) -> None:
    spec = without(spec_of(llama), "attention_1")

    with pytest.warns(PartsLeftOut, match=r"attention_\*.* leaves out 1 .*attention_1.*: made so") as told:
        assert spec.usable(selector) == left

    assert len(told) == 1
    assert spec.select("attention_*") == ["attention_0", "attention_1", "attention_2"]


def test_a_range_does_so_too(llama: Any) -> None:
    with pytest.warns(PartsLeftOut, match="0:2"):
        assert without(spec_of(llama), "layer_0").usable("0:2") == ["layer_1"]


@pytest.mark.parametrize("selector", ["attention_1", ["attention_0", "attention_1"], "attention_1.head_0"])
def test_what_was_spelled_out_stays_and_is_refused_where_it_is_used(llama: Any, selector: Any) -> None:
    spec = without(spec_of(llama), "attention_1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen = spec.usable(selector)

    with pytest.raises(UnavailablePartError, match="made so"):
        [spec.site(name) for name in chosen]


def test_when_nothing_is_left_the_reason_is_an_error(llama: Any) -> None:
    spec = without(spec_of(llama), "ffn_0", "ffn_1", "ffn_2")

    with pytest.raises(UnavailablePartError, match="made so"):
        [spec.site(name) for name in spec.usable("ffn_*")]


def test_with_nothing_missing_it_is_select(any_model: Any) -> None:
    spec = spec_of(any_model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert spec.usable("layer_*") == spec.select("layer_*")


def test_units_are_looked_for_where_they_are(mixture: Any) -> None:
    """Of a stack in which only some blocks have neurons, those are meant."""
    spec = mixture.spec

    assert spec.select("ffn_*.neurons") == ["ffn_0.neurons"]
    assert spec.select("ffn_*.experts") == ["ffn_1.experts", "ffn_2.experts"]


def test_capture_and_edits_go_on_with_the_rest(mixture: Any) -> None:
    mixture._lifted = replace(mixture.lifted, spec=without(mixture.spec, "ffn_1"))

    with pytest.warns(PartsLeftOut, match="ffn_1"):
        answer = mixture.scale("ffn_*", 0.5)

    assert "ffn_0" in repr(answer)
    assert [edit.at for edit in mixture.edits] == ["ffn_0", "ffn_2"]


@pytest.fixture
def mixture() -> Garage:
    """Its first block is dense, the others choose among experts."""
    from transformers import AutoModelForCausalLM, Qwen3MoeConfig

    config = Qwen3MoeConfig(
        vocab_size=99, hidden_size=32, intermediate_size=48, moe_intermediate_size=24, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, num_experts=4, num_experts_per_tok=2,
        mlp_only_layers=[0],
    )  # fmt: skip
    return Garage(AutoModelForCausalLM.from_config(config).eval())
