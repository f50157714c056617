"""Condition: all that decides what a model computes and that torch does not count as a write to one of its tensors.

The code of its classes, the plain settings of its modules (a scale, an epsilon, which adapter is in force), autocast,
and a few numbers of every weight: a write through `.data` or NumPy goes by without torch knowing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .walk import modules_of, weights_of

SAMPLED = 16  # numbers of each weight; one that is changed alone behind torch's back may be missed

_PLAIN = (bool, int, float, str, type(None), torch.dtype)
_TORCHS_OWN = frozenset(vars(nn.Module()))


def condition_of(model: nn.Module) -> tuple[Any, ...]:
    """Equal for two moments in which the same tokens give the same bits, as far as can be told in a millisecond."""
    modules = modules_of(model)
    weights = list(weights_of(modules))
    return tuple(map(_settings, modules)), _autocast(weights), _sample(weights)


def _settings(module: nn.Module) -> tuple[Any, ...]:
    """Of the module itself; its train flag and its hooks are looked at elsewhere."""
    kind = type(module)
    own = ((name, _plain(value)) for name, value in vars(module).items() if name not in _TORCHS_OWN)
    return (kind, kind.forward, *own)


def _plain(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, dict):
        return tuple((str(key), _plain(item)) for key, item in value.items())
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else type(value)


def _autocast(weights: Sequence[Tensor]) -> Any:
    kind = next((weight.device.type for weight in weights), "cpu")
    return torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind)


@torch.no_grad()
def _sample(weights: Iterable[Tensor]) -> bytes:
    """Evenly spread; one transfer to the host for each device and dtype."""
    found: dict[tuple[Any, ...], list[Tensor]] = {}
    for weight in weights:
        if not weight.is_meta:
            flat = weight.detach().view(-1) if weight.is_contiguous() else weight.detach().reshape(-1)
            some = flat[:: max(1, flat.numel() // SAMPLED)]
            found.setdefault((weight.device, weight.dtype), []).append(some)
    return b"".join(torch.cat(some).view(torch.uint8).cpu().numpy().tobytes() for some in found.values())
