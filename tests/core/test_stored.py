"""What a module would save, by name: as its own state dict says, without asking it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from garage_nb.core.stored import stored
from tests.families import FAMILIES, tiny


@pytest.mark.parametrize("family", [*FAMILIES, "bloom", "gpt_neox", "falcon"])
def test_the_names_and_tensors_of_the_state_dict_in_its_order(family: str) -> None:
    model = tiny(family)

    found = dict(stored(model))

    assert list(found) == list(model.state_dict())
    for name, tensor in model.state_dict().items():
        assert found[name].data_ptr() == tensor.data_ptr()
        assert found[name].shape == tensor.shape


def test_tied_ones_come_under_each_name_as_one_tensor(gpt2: Any) -> None:
    found = dict(stored(gpt2))

    assert found["lm_head.weight"] is found["transformer.wte.weight"]


def test_buffers_that_are_not_saved_and_empty_places_are_left_out() -> None:
    module = nn.BatchNorm1d(3, affine=False)
    module.register_buffer("scratch", torch.ones(2), persistent=False)
    module.register_buffer("none", None)
    module.register_module("nothing", None)

    assert list(stored(module, "at.")) == [
        (f"at.{name}", tensor) for name, tensor in module.state_dict(keep_vars=True).items()
    ]


def test_hooks_of_the_user_are_not_asked(gpt2: Any) -> None:
    def meddle(*_: Any) -> None:
        raise AssertionError("asked")

    gpt2.register_state_dict_pre_hook(meddle)
    gpt2.transformer.h[0].register_state_dict_post_hook(meddle)

    assert "transformer.h.0.attn.c_attn.weight" in dict(stored(gpt2))
