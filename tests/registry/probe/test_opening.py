"""What opening a model costs and leaves behind, and when it finds the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from garage_nb.errors import UnsupportedModelError
from garage_nb.registry.decompose import spec_of
from garage_nb.registry.probe.catalogue import probe
from tests.restored import hooks_on

from .models import fresh, opened
from .own import GPT, Broken


@pytest.mark.parametrize("path", ["transformer.h.0.attn", "transformer.h.2", "lm_head"])
def test_an_exception_inside_leaves_nothing_behind(path: str) -> None:
    model = GPT()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    breaks = model.get_submodule(path).register_forward_pre_hook(_interrupt)

    with pytest.raises(KeyboardInterrupt):
        spec_of(model)
    breaks.remove()

    assert hooks_on(model) == {}
    assert _get_current_dispatch_mode_stack() == []
    assert torch.is_grad_enabled()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert spec_of(model).num_layers == 3


def test_a_refused_model_is_left_as_it_was() -> None:
    model = Broken().train()
    random = torch.get_rng_state()

    with pytest.raises(UnsupportedModelError):
        spec_of(model)

    assert hooks_on(model) == {}
    assert _get_current_dispatch_mode_stack() == []
    assert torch.is_grad_enabled()
    assert all(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("entry", ["causal-llama", "causal-falcon", "causal-mixtral", "masked-albert", "seq2seq-t5"])
def test_opening_costs_one_forward_and_changes_nothing(entry: str) -> None:
    model = fresh(entry).train()
    model.get_submodule(_some_child(model)).eval()
    flags = [module.training for module in model.modules()]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random, forwards = torch.get_rng_state(), []
    counts = model.register_forward_hook(lambda *_: forwards.append(1))

    spec_of(model)
    spec_of(model)

    counts.remove()
    assert len(forwards) == 1
    assert hooks_on(model) == {}
    assert [module.training for module in model.modules()] == flags
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_opening_with_gradients_off_leaves_them_off() -> None:
    with torch.no_grad():
        spec_of(GPT())

        assert not torch.is_grad_enabled()


@pytest.mark.parametrize("entry", ["causal-llama", "causal-opt"])
def test_opening_under_inference_mode_finds_the_same(entry: str) -> None:
    model = fresh(entry)

    with torch.inference_mode():
        under = probe(model, entry)

    assert under.parts == probe(model, entry).parts


@pytest.mark.parametrize("entry", ["causal-llama", "causal-opt", "causal-falcon"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_opening_in_another_precision_finds_the_same(entry: str, dtype: torch.dtype) -> None:
    narrow, spec = probe(fresh(entry).to(dtype), entry), opened(entry)[1]

    assert narrow.parts == spec.parts
    assert narrow.report()


def test_opening_under_autocast_finds_the_same() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = probe(fresh("causal-llama"), "llama")

    assert under.parts == opened("causal-llama")[1].parts


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _some_child(model: nn.Module) -> str:
    return next(path for path, _ in model.named_modules() if path)
