"""Stored: the tensors a module would save, without asking it for its state dict, whose hooks are the user's."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn


def stored(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Weights and persistent buffers by name. Tied ones come under each of their names."""
    kept = {name: item for name, item in module._buffers.items() if name not in module._non_persistent_buffers_set}
    for name, item in {**module._parameters, **kept}.items():
        if item is not None:
            yield prefix + name, item
    for name, child in module._modules.items():
        if child is not None:
            yield from stored(child, f"{prefix}{name}.")
