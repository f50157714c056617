"""Points inside a block: the stream before it and between its halves, what its attention is given, what a router chose.

Oracles are torch's own hooks, the modules called by hand, and transformers' eager attention.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.core.batch import Batch
from garage_nb.core.run import read
from garage_nb.core.sites import Read
from garage_nb.errors import EditError, PartsLeftOut, UnavailablePartError
from garage_nb.inject.edits import Add, Scale
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from garage_nb.registry.specs import ModelSpec
from garage_nb.snapshot.capture import SnapshotCapture
from tests.coverage.zoo import inputs
from tests.families import tiny

from .models import called, fresh, opened, seen
from .rows import Family
from .table import FAMILIES

ALIKE = {"atol": 1e-5, "rtol": 1e-4}
IN_TURN = [
    family
    for family in FAMILIES
    if set(family.halves) in ({"attention", "ffn"}, {"mixer", "ffn"}) and not family.parallel and not family.stack
    if not any(role.endswith("stream") for role in family.norms.values())
]
SIDE_BY_SIDE = [family for family in FAMILIES if family.parallel]


def named(family: Family) -> str:
    return f"{family.entry}-{family.layer}"


def captured(model: Any, *names: str, **options: Any) -> list[Tensor]:
    shots = SnapshotCapture(model).run(inputs(model), layers=list(names), keep=True, **options)
    return [shots[name].hidden for name in names]  # type: ignore[misc]


def batch_of(model: Any) -> Batch:
    given = inputs(model)
    ids = given.pop("input_ids")
    return Batch(ids, torch.ones_like(ids), **given)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.entry != "masked-albert"], ids=named)
def test_before_is_what_torch_sees_entering_the_block(family: Family) -> None:
    model, spec = opened(family.entry)
    found: list[Tensor] = []
    site = spec.site(f"{family.stack}layer_{family.layer}.before")

    read(model, batch_of(model), [Read(site, lambda hidden: found.append(hidden.clone()))])

    assert torch.equal(found[0], seen(model, f">{family.block}")[f">{family.block}"])


@pytest.mark.parametrize("family", IN_TURN, ids=named)
def test_the_stream_between_the_halves(family: Family) -> None:
    model, _ = opened(family.entry)
    layer = family.layer
    first, last = (f"{kind}_{layer}" for kind in family.halves)

    before, one, mid, other, after = captured(
        model, f"layer_{layer}.before", first, f"layer_{layer}.mid", last, f"layer_{layer}"
    )

    assert torch.allclose(before + one.reshape(before.shape), mid.reshape(before.shape), **ALIKE)
    assert torch.allclose(mid.reshape(after.shape) + other.reshape(after.shape), after, **ALIKE)
    assert not torch.allclose(mid.reshape(before.shape), before, **ALIKE)


@pytest.mark.parametrize("family", SIDE_BY_SIDE, ids=named)
def test_between_halves_that_stand_side_by_side_there_is_no_stream(family: Family) -> None:
    _, spec = opened(family.entry)

    with pytest.raises(UnavailablePartError, match="its halves stand side by side"):
        spec.site(f"layer_{family.layer}.mid")


def test_before_a_turn_is_after_the_one_before_it() -> None:
    model, _ = opened("masked-albert")

    before, after = captured(model, "layer_2.before", "layer_1")

    assert torch.equal(before, after)
    assert not torch.equal(before, captured(model, "layer_1.before")[0])


def test_where_norms_stand_on_the_stream_there_is_none_between() -> None:
    _, spec = opened("masked-bert")

    with pytest.raises(UnavailablePartError, match="norms stand on the stream itself"):
        spec.site("layer_1.mid")
    assert spec.site("layer_norm_1_attention_post").path.endswith("LayerNorm")


@torch.no_grad()
@pytest.mark.parametrize("entry", ["causal-llama", "causal-gpt2", "causal-gemma2", "causal-olmo2", "causal-opt"])
def test_a_change_between_the_halves_changes_the_stream_and_not_only_the_last_half(entry: str) -> None:
    """By hand: the last half, of the changed stream, is added to the changed stream."""
    model, spec = opened(entry)
    taps = Recipe((Scale("layer_1.mid", -0.5),)).taps(spec)

    mid, last, after = captured(model, "layer_1.mid", "ffn_1", "layer_1", under=taps)

    (bare,) = captured(model, "layer_1.mid")
    assert torch.equal(mid, bare * -0.5)
    assert torch.allclose((mid + last.reshape(mid.shape)).reshape(after.shape), after, **ALIKE)
    assert not torch.allclose(last, captured(model, "ffn_1")[0], **ALIKE)


@pytest.mark.parametrize("entry", ["causal-llama", "causal-gpt2", "causal-olmo2"])
def test_a_direction_between_the_halves_is_one_that_the_first_half_adds(entry: str) -> None:
    model, spec = opened(entry)
    direction = torch.linspace(-1, 1, 32)

    (inside,), (added,) = (
        captured(model, "layer_2", under=Recipe((Add(place, direction),)).taps(spec))
        for place in ("layer_1.mid", "attention_1")
    )

    assert torch.allclose(inside, added, **ALIKE)


def test_a_change_before_a_block_is_one_after_the_block_below() -> None:
    model = fresh("causal-llama")
    answers = []
    for place in ("layer_1.before", "layer_0"):
        with LayerInjector(model) as injector:
            injector.inject_scaling(place, -0.5)
            answers.append(called(model))

    assert torch.equal(*answers)
    assert not torch.equal(answers[0], called(model))


@torch.no_grad()
@pytest.mark.parametrize("entry", ["masked-bert", "masked-albert", "seq2seq-bart", "seq2seq-t5"])
def test_patterns_of_every_kind_of_attention_are_what_transformers_records(entry: str) -> None:
    """ALBERT runs one block three times; a decoder looks at the encoder too."""
    model, spec = opened(entry)
    eager = copy.deepcopy(model)
    eager.set_attn_implementation("eager")
    output = eager(**inputs(model), use_cache=False, output_attentions=True)
    kinds = {"attention": "attentions"}
    if "encoder_layer_0" in spec.parts:
        kinds = {
            "attention": "decoder_attentions",
            "encoder_attention": "encoder_attentions",
            "cross_attention": "cross_attentions",
        }

    for kind, key in kinds.items():
        patterns = captured(model, *(f"{kind}_{layer}.pattern" for layer in range(3)))
        for own, theirs in zip(patterns, output[key], strict=True):
            assert float((own - theirs).abs().max()) <= 1e-5  # T5's scores are large, and its layers below round apart


def test_keys_of_a_decoder_that_looks_at_the_encoder_are_of_its_tokens() -> None:
    model, spec = opened("seq2seq-bart")
    text, written = inputs(model)["input_ids"].shape[1], inputs(model)["decoder_input_ids"].shape[1]

    q, k, v, own = captured(model, *(f"cross_attention_1.{name}" for name in "qkv"), "attention_1.k")

    assert [hidden.shape[1] for hidden in (q, k, v, own)] == [written, text, text, written]
    assert spec.site("cross_attention_1.k").stack == "encoder"
    assert spec.site("cross_attention_1.q").stack is None


@torch.no_grad()
@pytest.mark.parametrize("entry", ["causal-mixtral", "causal-gpt_oss", "causal-qwen3_moe"])
def test_the_choice_of_a_router_are_its_largest_logits(entry: str) -> None:
    model, spec = opened(entry)
    gate = next(name for name in spec.parts if name.startswith("gate_"))

    chosen, weighed = captured(model, f"{gate}.choices", gate)

    expected = weighed.topk(chosen.shape[-1], dim=-1).indices
    assert chosen.shape == (8, spec.parts[gate.replace("gate", "ffn")].extra_info["experts_per_token"])
    assert torch.equal(chosen.sort(-1).values, expected.sort(-1).values)


def test_a_choice_can_be_read_and_not_changed() -> None:
    model, spec = opened("causal-mixtral")

    with pytest.raises(EditError, match=r"gate_0\.choices.* can be read, not changed"):
        captured(model, "layer_0", under=Recipe((Scale("gate_0.choices", 0.0),)).taps(spec))


def test_a_wildcard_leaves_out_blocks_that_have_none() -> None:
    """Of Jamba's three blocks one attends; Falcon's halves stand side by side in all."""
    jamba, falcon = opened("causal-jamba")[1], opened("causal-falcon")[1]

    assert jamba.select("attention_*.q") == ["attention_2.q"]
    assert falcon.select("layer_*.mid") == ["layer_0.mid", "layer_1.mid", "layer_2.mid"]
    assert falcon.usable("layer_*.mid") == falcon.select("layer_*.mid")  # nothing would be left
    bloom = opened("causal-bloom")[1]
    with pytest.warns(PartsLeftOut, match="attention_0"):
        mixed = _with_one_that_attends(bloom).usable("attention_*.q")
    assert mixed == ["attention_1.q"]


def _with_one_that_attends(spec: ModelSpec) -> ModelSpec:
    data = spec.to_json()
    part = data["parts"]["attention_1"]
    part["extra_info"] = {**part["extra_info"], "points": {"q": {"path": part["module_path"], "side": "query"}}}
    return ModelSpec.from_json(data)


def test_points_survive_the_file() -> None:
    spec = spec_of(tiny("mixtral"))
    again = ModelSpec.from_json(spec.to_json())

    for name in ("attention_1.q", "attention_1.pattern", "layer_1.before", "layer_1.mid", "gate_1.choices"):
        assert again.site(name) == spec.site(name)
