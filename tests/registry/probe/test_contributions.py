"""What a half adds to the residual stream: the value read is the one added, and a direction added arrives as it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.errors import UnavailablePartError
from garage_nb.inject.edits import Add, Scale
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.snapshot.capture import SnapshotCapture
from tests.coverage.zoo import inputs

from .models import called, fresh, opened, seen
from .rows import Family
from .table import FAMILIES

ALIKE = {"atol": 1e-5, "rtol": 1e-4}
PRE_NORM = [
    family
    for family in FAMILIES
    if set(family.halves) in ({"attention", "ffn"}, {"mixer", "ffn"}) and not family.stack
    if not any(role.endswith("stream") for role in family.norms.values())
]


def captured(model: Any, *names: str, **options: Any) -> list[Tensor]:
    shots = SnapshotCapture(model).run(inputs(model), layers=list(names), keep=True, **options)
    return [shots[name].hidden for name in names]  # type: ignore[misc]


@pytest.mark.parametrize("family", PRE_NORM, ids=lambda family: f"{family.entry}-{family.layer}")
def test_the_halves_are_what_the_block_adds(family: Family) -> None:
    """Before and after come from torch's own hooks."""
    model, _ = opened(family.entry)

    halves = captured(model, *(f"{kind}_{family.layer}" for kind in family.halves))

    stream = seen(model, f">{family.block}", family.block)
    before, after = stream[f">{family.block}"], stream[family.block]
    total = before + sum(half.reshape(before.shape) for half in halves)
    assert torch.allclose(total, after, **ALIKE)
    assert all(bool(half.any()) for half in halves)


@pytest.mark.parametrize("family", PRE_NORM, ids=lambda family: f"{family.entry}-{family.layer}")
def test_a_direction_added_arrives_as_it_is(family: Family) -> None:
    """At the last half nothing stands between it and what leaves the block."""
    model, spec = opened(family.entry)
    direction = torch.linspace(-1, 1, 32)
    taps = Recipe((Add(f"ffn_{family.layer}", direction),)).taps(spec)

    (edited,) = captured(model, f"layer_{family.layer}", under=taps)

    (bare,) = captured(model, f"layer_{family.layer}")
    assert torch.allclose(edited - bare, direction.expand_as(bare), atol=1e-5)


def test_granite_multiplies_what_its_modules_give() -> None:
    model, _ = opened("causal-granite")
    factor, module = model.config.residual_multiplier, "model.layers.1.self_attn"

    (attention,) = captured(model, "attention_1")

    assert factor == 0.5
    assert torch.allclose(attention, factor * seen(model, module)[module], **ALIKE)


def test_a_direction_at_granites_attention_joins_the_stream_whole() -> None:
    model, _ = opened("causal-granite")
    door, direction = ">model.layers.1.post_attention_layernorm", torch.linspace(-1, 1, 32)
    bare = seen(model, door)[door]

    with LayerInjector(model) as injector:
        injector.inject_additive("attention_1", direction)
        edited = seen(model, door)[door]

    assert torch.allclose(edited - bare, direction.expand_as(bare), atol=1e-6)


def test_falcons_feed_forward_is_read_before_it_is_written_to() -> None:
    model, spec = opened("causal-falcon")
    down = "transformer.h.0.mlp.dense_4h_to_h"

    (feed,) = captured(model, "ffn_0")

    held: list[Tensor] = []
    handle = model.get_submodule(down).register_forward_hook(lambda _, args, output: held.append(output))
    given = seen(model, down)[down]
    handle.remove()
    assert spec.get_ffn(0).extra_info["overwritten"] is True
    assert torch.equal(feed, given)
    assert not torch.equal(held[0], given)  # the block did write into it


def test_statistics_of_falcons_feed_forward_are_of_the_value_before() -> None:
    model, _ = opened("causal-falcon")
    down = "transformer.h.0.mlp.dense_4h_to_h"

    snapshot = SnapshotCapture(model).run(inputs(model), layers=["ffn_0"])["ffn_0"]

    assert snapshot.statistics.mean == pytest.approx(float(seen(model, down)[down].double().mean()), abs=1e-7)


@pytest.mark.parametrize("entry", ["causal-phi", "causal-gptj", "causal-gpt_neox"])
def test_in_a_parallel_block_the_second_half_does_not_see_the_first(entry: str) -> None:
    model, spec = opened(entry)
    assert spec.get_full_layer(0).extra_info["parallel"] is True

    bare, edited = (
        captured(model, "ffn_0", under=Recipe(scales).taps(spec))[0] for scales in ((), (Scale("attention_0", 5.0),))
    )

    assert torch.equal(bare, edited)


def test_in_a_sequential_block_it_does() -> None:
    model, spec = opened("causal-llama")

    (edited,) = captured(model, "ffn_0", under=Recipe((Scale("attention_0", 5.0),)).taps(spec))

    assert not torch.equal(edited, captured(model, "ffn_0")[0])


@torch.no_grad()
def test_a_norm_on_the_stream_takes_up_the_sum() -> None:
    """BERT: the norm of (before + attention) is the stream that the feed-forward half starts from."""
    model, spec = opened("masked-bert")
    block = model.bert.encoder.layer[1]

    before, attention, feed, after = captured(model, "layer_0", "attention_1", "ffn_1", "layer_1")

    middle = block.attention.output.LayerNorm(before + attention)
    assert torch.allclose(middle, captured(model, "layer_norm_1_attention_post")[0], **ALIKE)
    assert torch.allclose(block.output.LayerNorm(middle + feed), after, **ALIKE)
    assert spec.parts["layer_norm_1_attention_post"].extra_info["place"] == "stream"


@torch.no_grad()
def test_a_bias_that_is_added_for_itself_is_no_half() -> None:
    """GPT-NeoX Japanese adds its attention's bias beside the attention, in the last block alone."""
    model, spec = opened("causal-gpt_neox_japanese")
    block = model.gpt_neox_japanese.layers[2]
    claims = [proof.claim for proof in spec.proofs]

    before, attention, feed, after = captured(model, "layer_1", "attention_2", "ffn_2", "layer_2")

    assert claims[:2] == ["before + attention + ffn = after"] * 2
    assert claims[2] == "before + attention + ffn + a bias = after"
    assert torch.allclose(before + attention + feed + block.attention.dense_bias, after, **ALIKE)
    assert not torch.allclose(before + attention + feed, after, **ALIKE)


NOT_ADDED = {
    "causal-doge": ("attention_0", "what leaves the block is no sum that holds what entered it"),
    "causal-xlnet": ("attention_1", "what it adds leaves no module in the form in which it is added"),
}


@pytest.mark.parametrize("entry", NOT_ADDED)
def test_a_half_that_cannot_be_read_says_why_in_two_lines(entry: str) -> None:
    _, spec = opened(entry)
    place, reason = NOT_ADDED[entry]

    with pytest.raises(UnavailablePartError) as caught:
        spec.site(place)

    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert lines[0] == f"{place} of {spec.model_id} is n/a: {reason}."
    assert "layer" in lines[1]
    assert place not in spec.available()
    assert not spec.report()
    assert spec.report().unavailable[place] == reason


@pytest.mark.parametrize("entry", NOT_ADDED)
def test_its_layers_can_be_read_and_changed(entry: str) -> None:
    model = fresh(entry)
    block = opened(entry)[1].parts["layer_1"].module_path
    bare = called(model)

    (hidden,) = captured(model, "layer_1")
    with LayerInjector(model) as injector:
        injector.inject_scaling("layer_1", 0.5)
        edited = called(model)

    assert torch.equal(hidden, seen(model, block)[block])
    assert not torch.equal(edited, bare)
    assert torch.equal(called(model), bare)


@pytest.mark.parametrize("entry", NOT_ADDED)
@pytest.mark.parametrize("unit", ["head_0", "heads"])
def test_an_edit_or_capture_there_is_refused_before_the_model_runs(entry: str, unit: str) -> None:
    model, spec = opened(entry)
    place = NOT_ADDED[entry][0]
    calls: list[int] = []
    handle = model.register_forward_pre_hook(lambda *_: calls.append(1))

    with pytest.raises(UnavailablePartError):
        captured(model, place)
    with LayerInjector(model) as injector, pytest.raises(UnavailablePartError):
        injector.inject_scaling(place, 0.5)

    handle.remove()
    assert calls == []
    assert injector.list_injections() == []
    assert spec.parts[place].count_of(unit) in (None, 4)


def test_a_selector_of_which_nothing_can_be_read_says_why() -> None:
    model, spec = opened("causal-doge")

    chosen = spec.select("attention_*")

    assert chosen == ["attention_0", "attention_1", "attention_2"]
    with pytest.raises(UnavailablePartError, match="attention_0"):
        SnapshotCapture(model).run(inputs(model), layers="attention_*")
