"""Casting: a model in another precision."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...core.skeleton import skeleton
from ...core.stored import stored


def recast(model: Any, dtype: str) -> Any:
    """The same with its weights rounded to `dtype`, all of them new; what its class computes by itself is not rounded.

    The model itself where no dtype is said, or it is in this one.
    """
    wanted = getattr(torch, dtype) if dtype else model.dtype
    if model.dtype == wanted:
        return model
    again = skeleton(type(model), model.config, wanted)
    rounded: dict[int, Tensor] = {}  # tied ones once
    for _, tensor in stored(model):
        rounded[id(tensor)] = tensor.detach().to(wanted) if tensor.is_floating_point() else tensor
    again.load_state_dict({name: rounded[id(tensor)] for name, tensor in stored(model)}, assign=True)
    again.tie_weights()
    again.to(model.device)
    again.config.dtype = wanted
    again.generation_config = model.generation_config
    return again
