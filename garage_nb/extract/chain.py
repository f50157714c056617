"""Chain: a part that is no module of its own but several of a block, each of which takes what the one before gave.

OPT's ffn is one: fc1, its activation and fc2 stand in the block itself. Norms between them are parts by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..core.batch import probe
from ..core.run import read
from ..core.sites import Read, Site, leaving
from ..errors import InputError
from ..registry.part_spec import PartSpec, PartType
from ..registry.specs import ModelSpec


class Chain(nn.Module):
    """Modules one after another. They keep the names that they have in the block, and so do their tensors."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.order = tuple(modules)
        for name, module in modules.items():
            _put(self, name, module)

    @property
    def input_dim(self) -> int | None:
        """Width of what enters, as the first of its linear layers says; None where that cannot be told."""
        first = self.get_submodule(self.order[0])
        widths = [getattr(one, "in_features", getattr(one, "nx", None)) for one in first.modules()]
        return next((width for width in widths if width is not None), None)

    def forward(self, hidden: Tensor) -> Tensor:
        for name in self.order:
            hidden = leaving(self.get_submodule(name)(hidden))
        return hidden


def links(part: PartSpec) -> list[str]:
    """Paths of the modules that make a part up, in the order of their calls where they are a chain."""
    return list(part.extra_info.get("spread") or [part.module_path])


def home(part: PartSpec) -> str:
    """The path of a part's own module; of a chain, of the innermost module around all of it."""
    first, *others = (path.split(".") for path in links(part))
    if not others:
        return ".".join(first)
    shared = 0
    while all(path[: shared + 1] == first[: shared + 1] for path in others):
        shared += 1
    return ".".join(first[:shared])


def chained(model: nn.Module, spec: ModelSpec, name: str) -> ModelSpec:
    """The catalogue with the modules of a part in the order of their calls, the last being what it contributes.

    InputError where the part is no chain: where more goes on between two of them than handing on, or it is no ffn.
    """
    part = spec.parts[name]
    norms = {one.module_path for one in spec.parts.values() if one.part_type is PartType.LAYER_NORM}
    paths = [path for path in dict.fromkeys((*links(part), part.read_at)) if path not in norms]
    if paths == [part.module_path]:  # alone in its half, which something else of the block belongs to as well
        found = paths
    else:
        found = _in_order(model, paths, part.extra_info.get("turn")) if part.part_type is PartType.FFN else []
    if not found or found[-1] != part.read_at:
        raise InputError(
            f"{name} is no module of its own: it is {', '.join(paths)}.",
            f"Take the whole layer out: layer_{part.layer_idx}.",
        )
    chain = replace(part, extra_info={**part.extra_info, "spread": found})
    return replace(spec, parts={**spec.parts, name: chain})


def _in_order(model: nn.Module, paths: list[str], turn: int | None) -> list[str]:
    """As they are called; empty where one does not take, bit for bit, what the one before gave."""
    seen: list[tuple[str, Tensor]] = []
    taps = [
        Read(Site(path, side, turn), lambda hidden, path=path: seen.append((path, hidden.clone())))  # type: ignore[misc]
        for path in paths
        for side in ("input", "output")
    ]
    read(model, probe(model), taps)
    called = [path for path, _ in seen[::2]]
    handed = zip(seen[1::2], seen[2::2], strict=False)
    whole = [path for path, _ in seen] == [path for path in called for _ in range(2)] and len(called) == len(paths)
    return called if whole and all(_same(given, taken) for (_, given), (_, taken) in handed) else []


def _same(given: Tensor, taken: Tensor) -> bool:
    """Whatever rows they are laid out in."""
    return given.numel() == taken.numel() and torch.equal(given.reshape(taken.shape), taken)


def _put(root: nn.Module, name: str, module: nn.Module) -> None:
    *around, own = name.split(".")
    for piece in around:
        if piece not in root._modules:
            root.add_module(piece, nn.Module())
        root = root.get_submodule(piece)
    root.add_module(own, module)
