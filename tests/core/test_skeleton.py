"""A model from its config alone: the weights of another on it give that one's logits."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest
import torch

from garage_nb.core.skeleton import skeleton
from garage_nb.core.stored import stored
from tests.families import FAMILIES, prompt, tiny

MORE = ["bloom", "gpt_neox", "falcon"]


def filled(model: Any) -> Any:
    """Sharing the weights of `model`."""
    made = skeleton(type(model), model.config, model.dtype)
    made.load_state_dict({name: tensor.detach() for name, tensor in stored(model)}, assign=True)
    made.tie_weights()
    return made


@pytest.mark.parametrize("family", [*FAMILIES, *MORE])
def test_the_weights_of_another_make_it_that_one(family: str) -> None:
    model = tiny(family)

    made = filled(model)

    with torch.no_grad():
        assert torch.equal(made(prompt()).logits, model(prompt()).logits)
    ours, theirs = dict(stored(made)), dict(stored(model))
    assert {name: tensor.data_ptr() for name, tensor in ours.items()} == {
        name: tensor.data_ptr() for name, tensor in theirs.items()
    }


@pytest.mark.parametrize("family", [*FAMILIES, *MORE])
def test_its_weights_have_no_memory_and_its_buffers_have(family: str) -> None:
    model = tiny(family)

    made = skeleton(type(model), model.config, model.dtype)

    assert all(parameter.is_meta for parameter in made.parameters())
    own = dict(model.named_buffers())
    assert all(torch.equal(buffer, own[name]) for name, buffer in made.named_buffers())
    assert not any(module.training for module in made.modules())


def test_tied_weights_are_tied_before_they_have_numbers(gpt2: Any) -> None:
    made = skeleton(type(gpt2), gpt2.config)

    assert made.lm_head.weight is made.transformer.wte.weight


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_dtype(gpt2: Any, dtype: torch.dtype) -> None:
    made = skeleton(type(gpt2), gpt2.config, dtype)

    assert {parameter.dtype for parameter in made.parameters()} == {dtype}
    assert torch.get_default_dtype() is torch.float32


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_the_attention_of_the_config(llama: Any, implementation: str) -> None:
    llama.set_attn_implementation(implementation)

    assert skeleton(type(llama), llama.config).config._attn_implementation == implementation


def test_the_config_and_the_random_numbers_stay(gpt2: Any) -> None:
    before, random = copy.deepcopy(gpt2.config.to_dict()), torch.get_rng_state()

    made = skeleton(type(gpt2), gpt2.config, torch.bfloat16)

    assert gpt2.config.to_dict() == before
    assert made.config is not gpt2.config
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.nn.Linear(2, 2).weight.device.type == "cpu"  # what accelerate changes for it is changed back


def test_what_another_thread_makes_meanwhile_has_memory(gpt2: Any) -> None:
    made: list[torch.nn.Linear] = []

    class Meanwhile(type(gpt2)):  # type: ignore[misc]
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            other = threading.Thread(target=lambda: made.append(torch.nn.Linear(2, 2)))
            other.start()
            other.join()

    hollow = skeleton(Meanwhile, gpt2.config)

    assert all(parameter.is_meta for parameter in hollow.parameters())
    assert made[0].weight.device.type == "cpu"
