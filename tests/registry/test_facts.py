"""Facts that shapes do not tell, of models with a config and without."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from garage_nb.registry.decompose import spec_of
from garage_nb.registry.facts import facts, part_facts, with_facts
from garage_nb.registry.specs import ModelSpec, PartType
from tests.families import FAMILIES, tiny

ROPE = {"rope_type": "default", "rope_theta": 10000.0}


@pytest.mark.parametrize("family", FAMILIES)
def test_facts_are_plain_json_and_the_same_each_time(family: str) -> None:
    model = tiny(family)
    spec = with_facts(spec_of(model), model)

    assert ModelSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert with_facts(spec, model) == spec
    assert all("formula" in part.extra_info for part in spec.parts.values())


@pytest.mark.parametrize(
    ("family", "changes", "told"),
    [
        ("llama", {}, {"model_type": "llama", "rope": ROPE, "activation": "silu", "tied_head": False, "windows": []}),
        ("gpt2", {}, {"rope": None, "activation": "gelu_new", "tied_head": True}),
        ("mistral", {}, {"windows": [4, 4, 4], "layer_types": []}),
        ("mistral", {"sliding_window": None}, {"windows": []}),
        ("qwen2", {}, {"windows": [None, 4, 4]}),
        ("qwen2", {"use_sliding_window": False}, {"windows": []}),
        ("phi", {}, {"rope": {**ROPE, "partial_rotary_factor": 0.5}}),
        ("gemma2", {}, {"windows": [4, None, 4],
                        "multipliers": {"embedding": {}, "logits": {"final_logit_softcapping": 30.0}}}),
        ("gemma3_text", {}, {"rope": {"sliding_attention": ROPE, "full_attention": {**ROPE, "rope_theta": 1e6}}}),
    ],
)  # fmt: skip
def test_what_the_config_says(family: str, changes: dict[str, Any], told: dict[str, Any]) -> None:
    found = facts(tiny(family, **changes))

    assert {key: found[key] for key in told} == told


def test_factors_outside_of_any_part() -> None:
    model = tiny("granite", embedding_multiplier=12.0, logits_scaling=8.0, residual_multiplier=0.2)

    told = facts(model)["multipliers"]

    assert told == {"embedding": {"embedding_multiplier": 12.0}, "logits": {"logits_scaling": 8.0}}


class OwnModel(nn.Module):
    """No config, no methods of transformers."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.act, self.head = nn.Embedding(8, 4), nn.GELU(), nn.Linear(4, 8)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.act(self.table(ids)))


def test_a_module_without_a_config_tells_what_it_can() -> None:
    assert facts(OwnModel()) == {
        "model_type": "", "rope": None, "activation": "gelu", "tied_head": False, "layer_types": [], "windows": [],
        "multipliers": {"embedding": {}, "logits": {}},
    }  # fmt: skip


def part(family: str, path: str, kind: PartType, **changes: Any) -> dict[str, Any]:
    return part_facts(tiny(family, **changes).get_submodule(path), kind)


@pytest.mark.parametrize(
    ("family", "path", "told"),
    [
        ("llama", "model.layers.0.mlp", {"gated": True, "activation": "silu", "biases": False}),
        ("phi3", "model.layers.0.mlp", {"gated": True}),  # gate and up in one matrix
        ("gpt2", "transformer.h.0.mlp", {"gated": False, "activation": "gelu (tanh)", "biases": True}),
        ("phi", "model.layers.0.mlp", {"gated": False}),
        ("mixtral", "model.layers.0.mlp", {"gated": True, "class": "MixtralSparseMoeBlock"}),
    ],
)
def test_feed_forward_halves(family: str, path: str, told: dict[str, Any]) -> None:
    found = part(family, path, PartType.FFN)

    assert {key: found[key] for key in told} == told


def test_norms_and_attention() -> None:
    norm = part("llama", "model.norm", PartType.LAYER_NORM, rms_norm_eps=1e-3)

    assert (norm["norm"], norm["eps"]) == ("RMSNorm", 1e-3)
    assert not part("llama", "model.layers.0.self_attn", PartType.ATTENTION)["biases"]
    assert part("qwen2", "model.layers.0.self_attn", PartType.ATTENTION)["biases"]


def test_weights_are_known_by_names_and_shapes_not_by_values() -> None:
    a, b = tiny("llama").model.layers[0], tiny("llama", seed=1).model.layers[2]
    wide = tiny("llama", intermediate_size=96).model.layers[0]

    told = [part_facts(layer, PartType.FULL_LAYER)["weights"] for layer in (a, b, wide)]

    assert told[0] == told[1] != told[2]


def test_buffers_that_are_not_saved_do_not_count() -> None:
    plain, buffered = nn.Linear(2, 2), nn.Linear(2, 2)
    buffered.register_buffer("mask", torch.ones(3), persistent=False)
    kept = nn.Linear(2, 2)
    kept.register_buffer("mask", torch.ones(3))

    plain_told, buffered_told, kept_told = (part_facts(m, PartType.FFN)["weights"] for m in (plain, buffered, kept))

    assert plain_told == buffered_told != kept_told
