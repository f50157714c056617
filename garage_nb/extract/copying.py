"""A deep copy of one module: its weights and nothing that hangs on it from outside."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

from torch import nn

from ..core.offloaded import HOOK, brought
from ..errors import UnsupportedModelError

Module = TypeVar("Module", bound=nn.Module)

HOOK_TABLES = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


def copied(module: Module, instead: Mapping[int, Any] | None = None) -> Module:
    """The module on its own, without hooks. Changing it never reaches the donor.

    `instead` is a `deepcopy` memo: by the id of an object in the donor, what stands for it in the copy.
    """
    alone = copy.deepcopy(module, {**_without_hooks(module), **(instead or {})})
    for inner in alone.modules():
        _undispatch(inner)
    return alone


def _undispatch(module: nn.Module) -> None:
    """Take off what accelerate wraps around a module of a model spread over devices: it would move the inputs."""
    own = vars(module)
    if HOOK in own:
        for name in (HOOK, "_old_forward", "forward"):
            own.pop(name, None)


def _without_hooks(module: nn.Module) -> dict[int, Any]:
    """A `deepcopy` memo in which every hook table is already copied, as an empty one, and accelerate's hooks as None.

    Copying the tables and clearing them afterwards would drag along what the hooks refer to, often a whole model.
    """
    tables = [getattr(inner, name) for inner in module.modules() for name in HOOK_TABLES]
    wrapped = [vars(inner)[HOOK] for inner in module.modules() if HOOK in vars(inner)]
    return {**{id(table): type(table)() for table in tables}, **{id(hook): None for hook in wrapped}}


def demand_weights(model: nn.Module, path: str, name: str) -> None:
    """UnsupportedModelError when a weight is neither in memory nor kept by accelerate: a copy would hold no numbers."""
    module, elsewhere = model.get_submodule(path), brought(model, path)
    tensors = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    missing = [own for own, tensor in tensors if tensor.is_meta and own not in elsewhere]
    if missing:
        raise UnsupportedModelError(
            f"The weights of {name} are not in memory ({', '.join(missing[:3])} on the meta device).",
            "Load the model without offloading, on one device that holds it.",
        )
