"""Norms and activations are known by what they compute, against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from garage_nb.registry.elementary import Norm, activation_of, norm_of
from tests.families import tiny

EPS = (0.0, 1e-12, 1e-8, 1e-6, 1e-5, 2e-5, 1e-3, 0.1)


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("affine", [True, False])
def test_torch_norms_with_their_eps(eps: float, affine: bool) -> None:
    assert norm_of(nn.LayerNorm(48, eps, elementwise_affine=affine)) == Norm("LayerNorm", eps)
    assert norm_of(nn.RMSNorm(48, eps, elementwise_affine=affine)) == Norm("RMSNorm", eps)


@pytest.mark.parametrize(
    ("family", "path", "name"),
    [
        ("llama", "model.norm", "RMSNorm"),
        ("gemma", "model.norm", "RMSNorm with 1 + w"),
        ("gemma3_text", "model.layers.0.self_attn.q_norm", "RMSNorm with 1 + w"),
        ("gpt2", "transformer.ln_f", "LayerNorm"),
    ],
)
def test_norms_of_families(family: str, path: str, name: str) -> None:
    found = norm_of(tiny(family).get_submodule(path))

    assert found is not None
    assert found.name == name


def test_a_norm_of_another_formula_is_none_of_these() -> None:
    class CubeNorm(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / x.abs().pow(3).mean(-1, keepdim=True)

    assert norm_of(CubeNorm()) is None
    assert norm_of(nn.Linear(4, 4)) is None


def test_the_module_itself_stays_as_it_was() -> None:
    norm = nn.LayerNorm(8)
    norm.register_forward_hook(lambda *_: pytest.fail("the user's hook ran"))
    nn.init.normal_(norm.weight)
    before = norm.weight.clone()

    norm_of(norm)

    assert torch.equal(norm.weight, before)


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_neither_device_nor_dtype_matters(device: str) -> None:
    norm = nn.LayerNorm(8, 1e-5, device=device, dtype=torch.bfloat16)

    assert norm_of(norm) == Norm("LayerNorm", 1e-5)


@pytest.mark.parametrize(
    ("named", "name"),
    [
        ("silu", "silu"), ("swish", "silu"), ("gelu", "gelu"), ("gelu_new", "gelu (tanh)"),
        ("gelu_pytorch_tanh", "gelu (tanh)"), ("gelu_fast", "gelu (tanh)"), ("quick_gelu", "gelu (sigmoid)"),
        ("relu", "relu"), ("relu2", "relu squared"), ("relu6", "ReLU6"), ("gelu_10", "ClippedGELUActivation"),
    ],
)  # fmt: skip
def test_activations_by_any_name(named: str, name: str) -> None:
    from transformers.activations import ACT2FN

    assert activation_of(ACT2FN[named]) == name


def test_what_has_weights_is_no_activation() -> None:
    assert activation_of(nn.PReLU()) is None
    assert activation_of(nn.MultiheadAttention(8, 2)) is None
    assert activation_of(nn.Linear(4, 4)) is None
