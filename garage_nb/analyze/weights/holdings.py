"""Holdings: which weights belong to which part, each under the innermost part that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

import torch
from torch import Tensor, nn

from ...core.offloaded import at_hand
from ...core.parts import parse
from ...core.sharded import is_split
from ...errors import InputError, UnsupportedModelError
from ...registry.specs import ModelSpec

_PLAIN = (Tensor, nn.Parameter)


@dataclass(frozen=True, eq=False)
class Held:
    """A weight as it is stored. `name` is its path inside the part; of fused experts `….gate_up_proj[2]` each."""

    part: str
    name: str
    shape: torch.Size
    read: Callable[[], Tensor]  # brings what is kept elsewhere, each time
    key: tuple[int, int]  # equal for one weight under two names

    def __str__(self) -> str:
        return f"{self.part} {self.name}"


def holdings(model: nn.Module, spec: ModelSpec, names: list[str] | None) -> list[Held]:
    """Of the parts named, or of every part and then whatever belongs to none.

    InputError for a unit, which is a share of a weight. UnsupportedModelError for weights that are no plain numbers in
    reach: quantised, sharded, or not in memory and brought by nobody.
    """
    asked = list(spec.parts) if names is None else names
    paths = {name: _paths(spec, name) for name in asked}
    weights = dict(model.named_parameters(remove_duplicate=False))
    _demand_unpacked(model, spec, [path for each in paths.values() for path in each])
    owned = {name: _under(name, paths, weights) for name in asked}
    if names is None:
        taken = {path for found in owned.values() for path in found}
        for path in (path for path in weights if path not in taken):
            owned.setdefault(path.rpartition(".")[0] or path, []).append(path)
    return [
        held
        for name, found in owned.items()
        for path in found
        for held in _held(name, path.removeprefix(_around(paths.get(name, [name]))), path, weights[path], model)
    ]


def _paths(spec: ModelSpec, name: str) -> list[str]:
    address = parse(name)
    if address is None:
        return [name]
    if address.unit is not None:
        raise InputError(f"{name} has no weights of its own, it shares those of its part.", f"Name {address.whole}.")
    part = spec.parts[name]
    return list(part.extra_info.get("spread", [part.module_path]))


def _under(name: str, paths: Mapping[str, list[str]], weights: Mapping[str, Tensor]) -> list[str]:
    """The weights of a part that no part inside it has."""
    own = paths[name]
    inner = [
        path
        for other, found in paths.items()
        for path in found
        if other != name and _is_inner(path, own, alone=len(found) == 1)
    ]
    mine = (path for path in weights if any(_is_inside(path, one) for one in own))
    return [path for path in mine if not any(_is_inside(path, deep) for deep in inner)]


def _is_inner(path: str, own: list[str], *, alone: bool) -> bool:
    """A norm may be a part of its own and one of the modules that another part is made of."""
    return any(_is_inside(path, one) and (path != one or (alone and len(own) > 1)) for one in own)


def _around(paths: list[str]) -> str:
    """What the paths of a part have in common, with the dot behind it."""
    if len(paths) == 1:
        return f"{paths[0]}."
    pieces = [path.split(".") for path in paths]
    common = [group[0] for group in takewhile(lambda group: len(set(group)) == 1, zip(*pieces, strict=False))]
    return "".join(f"{piece}." for piece in common)


def _is_inside(path: str, around: str) -> bool:
    return path == around or path.startswith(f"{around}.")


def _held(part: str, name: str, path: str, weight: Tensor, model: nn.Module) -> Iterator[Held]:
    """A vector or a matrix; of a stack of them (fused experts) each. A convolution is a matrix (out, in · kernel)."""
    _demand_plain(path, weight)
    if weight.numel() == 0:
        return
    filters = isinstance(model.get_submodule(path.rpartition(".")[0]), nn.modules.conv._ConvNd)
    stack = _matrices(weight.detach(), filters)
    for number, one in enumerate(stack):
        key, own = (number, f"{name}[{number}]") if len(stack) > 1 else (-1, name)
        yield Held(part, own, one.shape, partial(_matrix, model, path, weight, filters, number), (id(weight), key))


def _matrix(model: nn.Module, path: str, weight: Tensor, filters: bool, number: int) -> Tensor:
    return _matrices(at_hand(model, path, weight).detach(), filters)[number]


def _matrices(weight: Tensor, filters: bool) -> Sequence[Tensor]:
    """All vectors or matrices that a weight is a stack of."""
    if weight.ndim > 2:
        weight = weight.flatten(1) if filters else weight.squeeze()
    if weight.ndim <= 2:
        return (weight.reshape(-1) if weight.ndim == 0 else weight,)
    return weight.flatten(0, -3).unbind()


def _demand_plain(path: str, weight: Tensor) -> None:
    if is_split(weight):
        raise UnsupportedModelError(f"{path} is spread over several devices.", "Load the model on one device.")
    if type(weight) not in _PLAIN or not weight.is_floating_point() or weight.element_size() == 1:
        stored = type(weight).__name__ if type(weight) not in _PLAIN else str(weight.dtype).removeprefix("torch.")
        raise UnsupportedModelError(
            f"{path} is quantised, stored as {stored}: its numbers are not the weights.",
            "Load the model in float32, bfloat16 or float16.",
        )


def _demand_unpacked(model: nn.Module, spec: ModelSpec, paths: list[str]) -> None:
    """GPTQ, AWQ and their like keep packed integers in buffers, where no parameter is."""
    packed = [
        name
        for name, buffer in model.named_buffers()
        if "weight" in name.rpartition(".")[2] and not buffer.is_floating_point()
        if any(_is_inside(name, path) for path in paths)
    ]
    if packed:
        raise UnsupportedModelError(
            f"{packed[0]} of {spec.model_id} is quantised, packed integers: its numbers are not the weights.",
            "Load the model in float32, bfloat16 or float16.",
        )
