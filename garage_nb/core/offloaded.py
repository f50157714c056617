"""Offloaded: weights that accelerate keeps elsewhere, on the host or on disk, and brings while a module runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from ..errors import UnsupportedModelError

HOOK = "_hf_hook"


def at_hand(model: nn.Module, path: str, tensor: Tensor) -> Tensor:
    """The weight or buffer `tensor` of that path, with its numbers: brought for the caller where it is not in memory.

    UnsupportedModelError where nobody keeps it.
    """
    found = kept(model, path) if tensor.is_meta else tensor
    if found is None:
        raise UnsupportedModelError(
            f"{path} is not in memory: it is on the meta device, and nothing brings it.",
            "Load the model without offloading.",
        )
    return found


def brought(model: nn.Module, path: str) -> dict[str, Tensor]:
    """What of the module at `path` is not in memory and can be had, by its name in the module."""
    module = model.get_submodule(path)
    named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    missing = [name for name, tensor in named if tensor.is_meta]
    found = {name: kept(model, f"{path}.{name}") for name in missing}
    return {name: tensor for name, tensor in found.items() if tensor is not None}


def fill(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put these in the place of what is not in memory. Each is a copy, its name that in the module."""
    for name, tensor in weights.items():
        owner, _, own = name.rpartition(".")
        table = module.get_submodule(owner)
        before = table._parameters.get(own)
        if before is not None:
            table._parameters[own] = nn.Parameter(tensor.detach().clone(), requires_grad=before.requires_grad)
        else:
            table._buffers[own] = tensor.detach().clone()


def kept(model: nn.Module, path: str) -> Tensor | None:
    """By the hook of the module that holds it, or of one around that. None where nobody does."""
    around = path
    while around:
        around = around.rpartition(".")[0]
        for weights in _maps(vars(model.get_submodule(around)).get(HOOK)):
            try:
                found = weights[path.removeprefix(f"{around}.") if around else path]
            except KeyError:
                continue
            return found if isinstance(found, Tensor) else None
    return None


def _maps(hook: Any) -> Iterator[Mapping[str, Tensor]]:
    """Of accelerate's hook, or of each where several stand in a row."""
    for one in (hook, *getattr(hook, "hooks", ())):
        if getattr(one, "weights_map", None) is not None:
            yield one.weights_map
