"""The numbers that edits leave in the weights: worked out by hand in float64 by NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from garage_nb.inject.ablate import Ablate
from garage_nb.inject.edit import Edit
from garage_nb.inject.edits import Add, Scale, Steer
from garage_nb.inject.mask import Mask
from tests.compose.bench import logits
from tests.compose.folding.test_folding import LINE, close, donor, folded, in_force
from tests.families import HIDDEN

Numbers = NDArray[np.float64]
Weights = dict[str, Numbers]


def rows(weight: Numbers, at: slice, by: float) -> Numbers:
    changed = weight.copy()
    changed[at] *= by
    return changed


C_PROJ, MLP = "transformer.h.1.attn.c_proj", "transformer.h.1.mlp.c_proj"
LLAMA = "model.layers.1"
O_PROJ = f"{LLAMA}.self_attn.o_proj.weight"
LINE64 = LINE.double().numpy()
MEAN = np.stack([LINE64, (LINE + 1).double().numpy()]).mean(0)
EMBED = "model.embed_tokens.weight"
BY_HAND: dict[str, tuple[str, Edit, Callable[[Weights], Weights]]] = {
    "attention": (
        "llama", Scale("attention_1", 0.3),
        lambda w: {O_PROJ: 0.3 * w[O_PROJ]},
    ),
    "ffn with a bias": (
        "gpt2", Scale("ffn_1", 0.3),
        lambda w: {f"{MLP}.weight": 0.3 * w[f"{MLP}.weight"], f"{MLP}.bias": 0.3 * w[f"{MLP}.bias"]},
    ),
    "head": (
        "llama", Scale("attention_1.head_1", 0.3),
        lambda w: {O_PROJ: rows(w[O_PROJ].T, slice(8, 16), 0.3).T},
    ),
    "head across": (
        "gpt2", Scale("attention_1.head_1", 0.3),
        lambda w: {f"{C_PROJ}.weight": rows(w[f"{C_PROJ}.weight"], slice(8, 16), 0.3)},
    ),
    "neuron": (
        "llama", Scale("ffn_1.neuron_5", 0.3),
        lambda w: {f"{LLAMA}.mlp.down_proj.weight": rows(w[f"{LLAMA}.mlp.down_proj.weight"].T, slice(5, 6), 0.3).T},
    ),
    "mask": (
        "gpt2", Mask("attention_1", keep="2:4"),
        lambda w: {f"{C_PROJ}.weight": rows(w[f"{C_PROJ}.weight"], slice(0, 16), 0)},
    ),
    "ablated to a mean": (
        "gpt2", Ablate("ffn_1", "mean", torch.stack([LINE, LINE + 1])),
        lambda w: {f"{MLP}.weight": 0 * w[f"{MLP}.weight"], f"{MLP}.bias": MEAN},
    ),
    "ablated to zero": (
        "llama", Ablate("attention_1"),
        lambda w: {O_PROJ: 0 * w[O_PROJ]},
    ),
    "steered": (
        "gpt2", Steer("attention_1", LINE, 0.3), lambda w: {f"{C_PROJ}.bias": w[f"{C_PROJ}.bias"] + 0.3 * LINE64},
    ),
    "added to a head": (
        "gpt2", Add("attention_1.head_1", 0.3),
        lambda w: {f"{C_PROJ}.bias": w[f"{C_PROJ}.bias"] + 0.3 * w[f"{C_PROJ}.weight"][8:16].sum(0)},
    ),
    "embedding": (
        "gpt2", Scale("embedding", 0.3),
        lambda w: {"transformer.wte.weight": 0.3 * w["transformer.wte.weight"], "lm_head.weight": w["lm_head.weight"]},
    ),
    "output head": (
        "gpt2", Scale("output_head", 0.3),
        lambda w: {"transformer.wte.weight": w["transformer.wte.weight"], "lm_head.weight": 0.3 * w["lm_head.weight"]},
    ),
    "scaled embedding": (
        "gemma2", Steer("embedding", LINE, 0.3),
        lambda w: {EMBED: w[EMBED] + 0.3 * LINE64 / np.sqrt(np.float32(HIDDEN))},
    ),
    "LayerNorm": (
        "gpt2", Scale("layer_norm_1_ffn", 0.3),
        lambda w: {name: 0.3 * w[name] for name in ("transformer.h.1.ln_2.weight", "transformer.h.1.ln_2.bias")},
    ),
    "RMSNorm": (
        "llama", Scale("layer_norm_1_ffn", 0.3),
        lambda w: {f"{LLAMA}.post_attention_layernorm.weight": 0.3 * w[f"{LLAMA}.post_attention_layernorm.weight"]},
    ),
    "1 + w": (
        "gemma2", Scale("layer_norm_1_ffn", 0.3),
        lambda w: {
            f"{LLAMA}.pre_feedforward_layernorm.weight": 0.3 * (1 + w[f"{LLAMA}.pre_feedforward_layernorm.weight"]) - 1
        },
    ),
}  # fmt: skip


def numbers(of: Any) -> Weights:
    return {name: tensor.double().numpy() for name, tensor in of.state_dict().items()}


@pytest.mark.parametrize("case", BY_HAND)
def test_the_weights_are_those_worked_out_by_hand(case: str) -> None:
    """In float64 by NumPy, rounded once; all other weights keep their bits."""
    family, edit, by_hand = BY_HAND[case]
    before = numbers(donor(family).model)

    found = numbers(folded(family, edit).model)

    expected = by_hand(before)
    for name, weight in found.items():
        wanted = expected.get(name, before[name])
        assert np.array_equal(weight, wanted.astype(np.float32).astype(np.float64)), name


def test_what_enters_a_map_is_shifted_and_scaled_in_turn_and_so_is_what_leaves_it() -> None:
    """x → 3 (x + 0.7) → 2 x − 1 into the head, and ten times what leaves, and a half more: by hand."""
    edits = [
        Add("attention_1.head_1", 0.7), Scale("attention_1", 10.0), Scale("attention_1.head_1", 3.0),
        Scale("attention_1.head_1", 2.0), Add("attention_1", 0.5), Add("attention_1.head_1", -1.0),
    ]  # fmt: skip
    before = numbers(donor("gpt2").model)

    hybrid = folded("gpt2", *edits)

    weight, bias = before[f"{C_PROJ}.weight"], before[f"{C_PROJ}.bias"]
    found = numbers(hybrid.model)
    shift = 2 * 3 * 0.7 - 1
    np.testing.assert_allclose(found[f"{C_PROJ}.weight"], 10 * rows(weight, slice(8, 16), 6), rtol=1e-6)
    np.testing.assert_allclose(found[f"{C_PROJ}.bias"], 10 * (bias + shift * weight[8:16].sum(0)) + 0.5, rtol=1e-5)
    assert close(logits(hybrid.model), in_force(donor("gpt2"), *edits))
