"""Norms and activations, told apart by what they compute: they are tried on a few numbers, whatever they are called.

A module is tried through a shell of it that holds weights made up here, so neither its own weights, its device nor
any hook on it takes part.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .probe.kinds import is_norm

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu (tanh)": partial(F.gelu, approximate="tanh"),
    "gelu (sigmoid)": lambda x: x * torch.sigmoid(1.702 * x),
    "relu": F.relu,
    "relu squared": lambda x: F.relu(x).square(),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "mish": F.mish,
}
_PLAIN = (bool, int, float, str)
_TINY = 1e-6  # small enough that eps is seen beside the variance
_HERE: dict[str, Any] = {"device": "cpu", "dtype": torch.float32}


@dataclass(frozen=True)
class Norm:
    """`name` is "RMSNorm" or "LayerNorm", with "1 + w" where the gain is one more than the weight."""

    name: str
    eps: float


def norm_of(module: nn.Module) -> Norm | None:
    """None for what is no norm, or none of these."""
    if not is_norm(module) or next(module.children(), None) is not None:
        return None
    return _tried(_Alike(module))


def activation_of(module: nn.Module) -> str | None:
    """Its name, or its class where the formula has none; None for what is no activation."""
    owner = type(module).__module__
    has_weights = next(module.parameters(), None) is not None
    if has_weights or not owner.endswith(("nn.modules.activation", "transformers.activations")):
        return None
    x = torch.linspace(-12, 12, 49, device="cpu", dtype=torch.float64)
    y = _run(module, x)
    if y is None or y.shape != x.shape:
        return None
    same = (name for name, formula in _ACTIVATIONS.items() if torch.allclose(formula(x), y, atol=1e-6))
    return next(same, type(module).__name__)


class _Alike:
    """A module, equal to others of its class and settings; weights do not count."""

    def __init__(self, module: nn.Module) -> None:
        plain = {name: value for name, value in vars(module).items() if isinstance(value, _PLAIN)}
        shapes = {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}
        self.module, self.shapes = module, shapes
        self.key = (type(module), tuple(sorted(plain.items())), tuple(shapes.items()))

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Alike) and self.key == other.key


@lru_cache(maxsize=256)
def _tried(alike: _Alike) -> Norm | None:
    width = next((shape[-1] for shape in (*alike.shapes.values(), getattr(alike.module, "normalized_shape", (8,)))), 8)
    x = torch.randn(1, 2, width, generator=torch.Generator().manual_seed(0), **_HERE) + 0.5
    weights = {name: torch.linspace(0.5, 1.5, width, **_HERE) for name in alike.shapes}
    gain = next(iter(weights.values()), torch.ones(width, **_HERE))
    shifts = {name: torch.zeros_like(weight) for name, weight in weights.items() if weight is not gain}
    large, small = (_run(alike.module, x * size, {**weights, **shifts}) for size in (1.0, _TINY))
    if large is None or small is None or large.shape != x.shape:
        return None
    for centred, offset in product((False, True), (0.0, 1.0) if weights else (0.0,)):
        eps = _eps(x * _TINY, small, gain + offset, centred)
        if torch.allclose(_norm(x, gain + offset, eps, centred), large, atol=1e-4):
            return Norm(("LayerNorm" if centred else "RMSNorm") + (" with 1 + w" if offset else ""), eps)
    return None


def _norm(x: Tensor, gain: Tensor, eps: float, centred: bool) -> Tensor:
    x = x - x.mean(-1, keepdim=True) if centred else x
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * gain


def _eps(x: Tensor, y: Tensor, gain: Tensor, centred: bool) -> float:
    """What must have been added to the variance, to two figures; 0 where nothing was, or where this is no such norm."""
    x = x - x.mean(-1, keepdim=True) if centred else x
    root = (x * gain).double().abs().sum(-1) / y.double().abs().sum(-1)
    found = float((root.square() - x.double().square().mean(-1)).median())
    return float(f"{found:.2g}") if found > 1e-14 else 0.0


def _run(module: nn.Module, x: Tensor, weights: dict[str, Tensor] | None = None) -> Tensor | None:
    """The class's own forward on a shell; None when it asks for more than one tensor."""
    shell: Any = copy.copy(module)
    shell.__dict__["_parameters"] = {**dict.fromkeys(module._parameters), **(weights or {})}
    try:
        with torch.no_grad():
            result = type(module).forward(shell, x)
    except Exception:  # whatever a stranger's forward raises: it is not a function of one tensor
        return None
    return result if isinstance(result, Tensor) else None
