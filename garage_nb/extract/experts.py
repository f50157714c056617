"""Experts: one of several as a module of its own, whether they are listed or share their tensors."""

from __future__ import annotations

import re

from torch import Tensor, nn

from ..core.offloaded import brought, fill
from ..errors import UnsupportedModelError
from ..registry.part_spec import PartSpec
from .copying import copied
from .lone import LoneExpert
from .source import Source

_EXPERTS = re.compile(r"(^|\.)experts?$")


def lone_expert(source: Source, part: PartSpec, index: int) -> nn.Module:
    """UnsupportedModelError where they are neither."""
    fused = part.extra_info.get("experts")
    if fused is not None:
        return _of_fused(source, fused, index, part.extra_info["num_experts"])
    inside = source.model.get_submodule(part.module_path).named_modules()
    lists = [path for path, module in inside if isinstance(module, nn.ModuleList | nn.ModuleDict)]
    found = next((path for path in lists if _EXPERTS.search(path)), None)
    if found is None:
        raise UnsupportedModelError(
            f"The experts of {part.module_path} are no list of modules.", "Take the whole part out."
        )
    names = list(source.model.get_submodule(f"{part.module_path}.{found}")._modules)
    return source.copy(f"{part.module_path}.{found}.{names[index]}")


def _of_fused(source: Source, path: str, index: int, count: int) -> nn.Module:
    """Of weights that all experts share only this one's are copied, (1, …)."""

    def own(weight: Tensor) -> Tensor:
        is_shared = weight.ndim > 1 and weight.shape[0] == count
        return (weight.detach()[index : index + 1] if is_shared else weight.detach()).clone()

    module = source.model.get_submodule(path)
    weights = [one for one in module._parameters.values() if one is not None]
    instead = {id(one): nn.Parameter(own(one), requires_grad=one.requires_grad) for one in weights}
    experts = copied(module, instead)
    fill(experts, {name: own(weight) for name, weight in brought(source.model, path).items()})
    return LoneExpert(experts, count)
