"""Layers stacked: the same as a fresh model of transformers with the same weights copied in, block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from garage_nb.compose.assembly.build import build
from garage_nb.compose.graft import Merge, Stack, Swap
from garage_nb.compose.layout.blocks import layers_of
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.registry.lift import lift
from tests.compose.bench import (
    BLOCKS,
    EVERY,
    blocks_of,
    built,
    checked,
    fresh,
    logits,
    model,
    naive_stack,
    pair,
    stacked,
)  # fmt: skip
from tests.families import prompt


def naively(family: str) -> Any:
    donors, _ = stacked(family)
    return naive_stack(donors["a"].model, [(donors[name].model, layer) for name, layer in BLOCKS])


@pytest.mark.parametrize("family", EVERY)
def test_a_stack_is_the_naive_one_bit_for_bit(family: str) -> None:
    donors, hybrid = stacked(family)

    assert torch.equal(logits(hybrid.model), logits(naively(family)))
    assert not torch.equal(logits(hybrid.model), logits(donors["a"].model))
    assert type(hybrid.model) is type(donors["a"].model)
    assert hybrid.model.config.num_hidden_layers == len(blocks_of(hybrid.model)) == 6


@pytest.mark.parametrize("family", EVERY)
def test_it_writes_over_its_cache_what_it_writes_without(family: str) -> None:
    hybrid = stacked(family)[1].model
    how: dict[str, Any] = {"max_new_tokens": 10, "do_sample": False, "eos_token_id": None, "pad_token_id": 2}

    over_cache = hybrid.generate(prompt(), use_cache=True, **how)

    assert over_cache.shape == (1, 20)
    assert torch.equal(over_cache, hybrid.generate(prompt(), use_cache=False, **how))
    assert torch.equal(over_cache, naively(family).generate(prompt(), use_cache=True, **how))


def test_closed_form() -> None:
    """Blocks of GPT-2 that add a constant each: what enters the last norm is the sum of those that were stacked."""
    donors = pair("gpt2")
    said = {name: np.random.default_rng(i).normal(size=(8, 32)) for i, name in enumerate(donors)}
    for name, lifted in donors.items():
        for block, added in zip(lifted.model.transformer.h, said[name], strict=False):
            adds(block, added)

    found = logits(built(donors, Stack.of("2 b[0] 2 b[3] b[0]")).model)[0]

    base = donors["a"].model.transformer
    table, places = (layer.weight.detach().double().numpy() for layer in (base.wte, base.wpe))
    entering = table[prompt()[0]] + places[: prompt().shape[1]]
    hidden = entering + 2 * said["a"][2] + 2 * said["b"][0] + said["b"][3]
    gain, bias = (vector.detach().double().numpy() for vector in (base.ln_f.weight, base.ln_f.bias))
    centred = hidden - hidden.mean(-1, keepdims=True)
    expected = (centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * gain + bias) @ table.T
    assert np.allclose(found.numpy(), expected, atol=2e-4)


@torch.no_grad()
def adds(block: Any, vector: np.ndarray[Any, Any]) -> None:
    for out in (block.attn.c_proj, block.mlp.c_proj):
        out.weight.zero_()
        out.bias.zero_()
    block.mlp.c_proj.bias.copy_(torch.from_numpy(vector))


@pytest.mark.parametrize(
    ("said", "layers"),
    [
        ("0:3", [0, 1, 2]),  # all
        ("0 2", [0, 2]),  # pruned
        ("2 1 0", [2, 1, 0]),
        ("0:2 1:3", [0, 1, 1, 2]),  # depth up-scaling
        ("0,0,-1", [0, 0, 2]),
        ("all", [0, 1, 2]),
        ("[layer_1] ::-1", [1, 2, 1, 0]),
    ],
)
def test_within_one_model(said: str, layers: list[int]) -> None:
    donor = lift(model("llama"))

    hybrid = build(BuildSheet("a", {"a": donor}, (Stack.of(said),)))

    assert torch.equal(logits(hybrid.model), logits(naive_stack(donor.model, [(donor.model, i) for i in layers])))


def test_as_often_and_in_the_order_they_are_named() -> None:
    donor = checked(pair("llama"), Stack.of("b[3,1,1]")).donors["b"]

    assert layers_of(Ref("b", "3,1,1"), donor) == [3, 1, 1]


@pytest.mark.parametrize("family", ["gemma2", "gemma3_text", "qwen2"])
def test_what_a_config_says_of_each_layer_follows_it(family: str) -> None:
    donors, hybrid = stacked(family)

    kinds = hybrid.model.config.layer_types

    assert kinds == [donors[name].model.config.layer_types[layer] for name, layer in BLOCKS]
    assert len(set(kinds)) == 2
    other = fresh(hybrid.model, hybrid.model.config)
    other.load_state_dict(hybrid.model.state_dict())
    assert torch.equal(logits(other), logits(hybrid.model))


@pytest.mark.parametrize("family", EVERY)
def test_every_layer_is_numbered_as_it_stands(family: str) -> None:
    for place, block in enumerate(blocks_of(stacked(family)[1].model)):
        numbers = {module.layer_idx for module in block.modules() if isinstance(getattr(module, "layer_idx", 0), int)
                   and hasattr(module, "layer_idx")}  # fmt: skip
        assert numbers <= {place}


def test_several_names_in_one_go_must_be_layers() -> None:
    found = checked(pair("llama"), Stack.of("0 b[attention_1]")).findings[0]

    assert "which is no whole layer" in found.reason


def test_no_layer_at_all_is_refused() -> None:
    found = checked(pair("llama"), Stack(())).findings

    assert not all(finding.refusal is None for finding in found)


def test_a_stack_that_would_undo_what_came_before_is_refused() -> None:
    """It puts layers of donors in place of all that stands there."""
    donors = pair("llama")

    after_swap = checked(donors, Swap("attention_1", Ref.of("b")), Stack.of("0 1"))
    after_stack = checked(donors, Stack.of("0 1"), Stack.of("b[0:2]"))
    after_end = checked(donors, Swap("embedding", Ref.of("b")), Stack.of("0 1"))

    assert [finding.verdict for finding in after_swap.findings] == ["fits", "refused", "fits"]
    assert [finding.verdict for finding in after_stack.findings] == ["fits", "refused", "fits"]
    assert "swap attention_1" in after_swap.findings[1].reason or "first" in after_swap.findings[1].reason
    assert after_end.ok


def test_grafts_name_places_of_the_result() -> None:
    """After a stack, layer 4 is the fifth of the result."""
    from garage_nb.compose.blends.methods import blend_of

    donors = pair("llama")
    half = blend_of("--method linear --weight 0.5")
    grafts = (Stack.of("0:3 b[2:4]"), Swap("ffn_4", Ref.of("[ffn_0]")), Merge("3", (Ref.of("b[3]"),), half))

    hybrid = built(donors, *grafts).model

    a, b = donors["a"].model, donors["b"].model
    expected = naive_stack(a, [(a, 0), (a, 1), (a, 2), (b, 2), (b, 3)])
    expected.model.layers[4].mlp.load_state_dict(a.model.layers[0].mlp.state_dict())
    with torch.no_grad():
        for mine, other in zip(expected.model.layers[3].parameters(), b.model.layers[3].parameters(), strict=True):
            mine.copy_((mine + other) / 2)
    assert torch.allclose(logits(hybrid), logits(expected), atol=1e-6)
    assert torch.equal(hybrid.model.layers[4].mlp.up_proj.weight, a.model.layers[0].mlp.up_proj.weight)
