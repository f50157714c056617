"""Slicing: fewer neurons for real, and the answers of the masked model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.compose.slicing.as_masked import as_masked
from garage_nb.compose.slicing.sliced import sliced
from garage_nb.core.fingerprint import AtRest
from garage_nb.errors import BuildError, EditError, UnknownPartError
from garage_nb.registry.lift import Lifted, lift
from tests.families import tiny

OPT = {"word_embed_proj_dim": 32, "ffn_dim": 64}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {}, "gpt2": {"n_inner": 64}, "opt": OPT, "phi3": {}, "gemma2": {}, "gpt_neox": {}, "falcon": {},
    "bert": {"is_decoder": True}, "stablelm": {}, "xglm": {"ffn_dim": 64}, "qwen2": {},
}  # fmt: skip
KEPT = [0, 2, 3, 31, 40, 63]
PADDED = {
    "input_ids": torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6], [7, 5, 3, 11, 0, 0, 0, 0]]),
    "attention_mask": torch.tensor([[1] * 8, [1] * 4 + [0] * 4]),
}


def ffns(lifted: Lifted) -> list[str]:
    return [name for name in lifted.spec.parts if name.startswith("ffn_")]


@torch.no_grad()
def zeroed_by_hand(model: Any, lifted: Lifted, kept: dict[str, list[int]]) -> Tensor:
    """Logits of the dense model, what enters each last projection multiplied by ones and zeros."""
    hooks = []
    for name, numbers in kept.items():
        ones = torch.zeros(lifted.spec.parts[name].intermediate_dim or 0, dtype=next(model.parameters()).dtype)
        ones[numbers] = 1
        projection = model.get_submodule(lifted.spec.parts[name].extra_info["projection"])
        hooks.append(projection.register_forward_pre_hook(lambda _, args, ones=ones: (args[0] * ones, *args[1:])))
    try:
        logits: Tensor = model(**PADDED).logits
    finally:
        for hook in hooks:
            hook.remove()
    return logits


@pytest.mark.parametrize("family", FAMILIES)
def test_it_answers_as_the_masked_model(family: str) -> None:
    model = tiny(family, layers=2, **FAMILIES[family])
    lifted, before = lift(model), AtRest.of(model)
    kept = {name: [number + place for number in KEPT[:-1]] for place, name in enumerate(ffns(lifted))}

    small = sliced(lifted, kept)

    with torch.no_grad():
        found, dense = small(**PADDED).logits, model(**PADDED).logits
    expected = zeroed_by_hand(model, lifted, kept)
    real = PADDED["attention_mask"].bool()
    assert torch.allclose(found[real], expected[real], atol=1e-5)
    assert not torch.allclose(dense[real], expected[real], atol=1e-2)
    assert sum(map(torch.numel, small.parameters())) < sum(map(torch.numel, model.parameters()))
    assert type(small) is type(model)
    assert not small.training
    assert AtRest.of(model) == before


def test_what_is_whole_is_one_memory_and_needs_no_gradient() -> None:
    model = tiny("llama", layers=2)

    small = sliced(lift(model), {"ffn_0": KEPT, "ffn_1": KEPT})

    theirs = {name: weight.data_ptr() for name, weight in model.named_parameters()}
    for name, weight in small.named_parameters():
        assert (weight.data_ptr() == theirs[name]) == ("mlp" not in name)
        assert weight.requires_grad == ("mlp" in name)
    assert all(weight.requires_grad for weight in model.parameters())


def test_plain_transformers_opens_what_it_saves(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    small: Any = sliced(lift(tiny("gpt2", layers=2)), {"ffn_0": KEPT, "ffn_1": KEPT})

    small.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path, trust_remote_code=False).eval()

    assert again.config.n_inner == len(KEPT)
    with torch.no_grad():
        assert torch.equal(again(**PADDED).logits, small(**PADDED).logits)
    assert lift(small).spec.parts["ffn_0"].intermediate_dim == len(KEPT)


@pytest.mark.parametrize("family", ["gpt2", "opt"])
def test_means_of_neurons_that_go_are_in_the_bias(family: str) -> None:
    model = tiny(family, layers=1, **FAMILIES[family])
    lifted = lift(model)
    mean = torch.randn(64, generator=torch.Generator().manual_seed(0))

    small: Any = sliced(lifted, {"ffn_0": KEPT}, {"ffn_0": mean})

    ones = torch.zeros(64)
    ones[KEPT] = 1
    projection = model.get_submodule(lifted.spec.parts["ffn_0"].extra_info["projection"])
    hook = projection.register_forward_pre_hook(lambda _, args: (args[0] * ones + mean * (1 - ones), *args[1:]))
    with torch.no_grad():
        expected = model(**PADDED).logits
    hook.remove()
    with torch.no_grad():
        assert torch.allclose(small(**PADDED).logits[0], expected[0], atol=1e-5)


def test_bfloat16_stays_bfloat16() -> None:
    model = tiny("llama", layers=2).to(torch.bfloat16)
    lifted = lift(model)

    small: Any = sliced(lifted, {"ffn_0": KEPT, "ffn_1": KEPT})

    assert {weight.dtype for weight in small.parameters()} == {torch.bfloat16}
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    expected = zeroed_by_hand(model, lifted, {"ffn_0": KEPT, "ffn_1": KEPT})
    with torch.no_grad():
        assert torch.allclose(small(**PADDED).logits[0], expected[0], atol=0.1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_one_wrong_neuron_shows_whatever_the_numbers_are_stored_in(dtype: torch.dtype) -> None:
    lifted = lift(tiny("llama", layers=2).to(dtype))
    kept = {"ffn_0": KEPT, "ffn_1": KEPT}
    small = sliced(lifted, kept)

    assert as_masked(small, lifted, kept, {}).holds
    wrong = as_masked(small, lifted, {**kept, "ffn_1": [*KEPT[:-1], 62]}, {})

    assert wrong.holds is False
    assert wrong.found.startswith("in float32 ") == (dtype != torch.float32)


def test_what_sixteen_bits_cannot_tell_is_not_called_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Means, which the bias rounds again; and a wrong neuron of a model that is too large to be held in float32."""
    lifted = lift(tiny("gpt2", layers=1, n_inner=64).to(torch.bfloat16))
    kept, means = {"ffn_0": KEPT}, {"ffn_0": torch.linspace(-1, 1, 64)}
    small = sliced(lifted, kept)
    filled, wrong = as_masked(sliced(lifted, kept, means), lifted, kept, means), {"ffn_0": [*KEPT, 59]}
    assert as_masked(small, lifted, wrong, {}).holds is False
    monkeypatch.setattr("garage_nb.compose.slicing.as_masked.ROOM", 0)

    for found in (filled, as_masked(small, lifted, wrong, {})):
        assert found.holds is None
        assert found.found.startswith("not told apart in bfloat16: ")
    assert as_masked(small, lifted, {"ffn_0": range(64)}, {}).holds is False


REFUSED: dict[str, tuple[str, dict[str, Any], type[Exception], str]] = {
    "one ffn of two": ("llama", {"ffn_0": KEPT}, BuildError, r"ffn_1 would stay as they are.*\n.*every ffn"),
    "unlike numbers": ("llama", {"ffn_0": KEPT, "ffn_1": [0]}, BuildError, "would have 1, 6 neurons"),
    "out of range": ("llama", {"ffn_0": [64], "ffn_1": [0]}, EditError, "ffn_0 has no neuron 64"),
    "none at all": ("llama", {"ffn_0": [], "ffn_1": []}, EditError, "None was named"),
    "no ffn": ("llama", {"attention_0": [0], "ffn_1": [0]}, EditError, "attention_0 of .* has no neurons"),
    "no such part": ("llama", {"ffn_7": [0]}, UnknownPartError, "ffn_7"),
    "experts": ("mixtral", {"ffn_0": [0], "ffn_1": [0]}, EditError, r"has no neurons.*\n.*inside experts"),
    "no field": ("bloom", {"ffn_0": [0], "ffn_1": [0]}, BuildError, "No field of BloomConfig makes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str) -> None:
    family, kept, kind, said = REFUSED[case]
    model = tiny(family, layers=2)
    lifted, before = lift(model), AtRest.of(model)

    with pytest.raises(kind, match=said):
        sliced(lifted, kept)

    assert AtRest.of(model) == before


def test_means_need_a_bias() -> None:
    with pytest.raises(BuildError, match=r"has no bias to hold the means.*\n.*zeros"):
        sliced(lift(tiny("llama", layers=1)), {"ffn_0": KEPT}, {"ffn_0": torch.zeros(64)})
