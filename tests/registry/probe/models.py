"""Tiny models of the zoo, and what torch itself says of them: plain hooks and plain calls, nothing of ours."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from garage_nb.registry.decompose import spec_of
from garage_nb.registry.specs import ModelSpec
from tests.coverage.zoo import Entry, build, entries, inputs

KNOWN: dict[str, Entry] = {str(entry): entry for entry in entries()}


def fresh(entry: str) -> Any:
    return build(KNOWN[entry])


@cache
def opened(entry: str) -> tuple[Any, ModelSpec]:
    """One model for all tests that leave it as it is."""
    model = fresh(entry)
    return model, spec_of(model)


@torch.no_grad()
def called(model: Any) -> Tensor:
    """Logits of the zoo's own prompt."""
    return model(**inputs(model), use_cache=False).logits


def seen(model: Any, *doors: str) -> dict[str, Tensor]:
    """What torch's own hooks see in that call: `path` for what leaves a module, `>path` for what enters it."""
    found: dict[str, Tensor] = {}
    with ExitStack() as stack:
        for door in doors:
            stack.callback(_look(model.get_submodule(door.lstrip(">")), door, found).remove)
        called(model)
    return found


def _look(module: nn.Module, door: str, found: dict[str, Tensor]) -> Any:
    def entered(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        found[door] = _first((*args, *kwargs.values()))

    def left(_: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        found[door] = _first(output if isinstance(output, tuple) else (output,))

    if door.startswith(">"):
        return module.register_forward_pre_hook(entered, with_kwargs=True)
    return module.register_forward_hook(left)


def _first(items: tuple[Any, ...]) -> Tensor:
    return next(item for item in items if isinstance(item, Tensor)).detach().clone()


@torch.no_grad()
def without_columns(model: Any, path: str, columns: slice) -> None:
    """Zero what a projection does with some of the numbers that enter it; Conv1D has its weight turned round."""
    projection: Any = model.get_submodule(path)
    if type(projection).__name__ == "Conv1D":
        projection.weight[columns] = 0
    else:
        projection.weight[:, columns] = 0
