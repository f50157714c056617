"""Tied: which weights of a part are also another's in the model, in words. In the copy they stand on their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from ..errors import UnknownPartError
from ..registry.specs import ModelSpec


def tied(model: nn.Module, spec: ModelSpec, paths: Sequence[str]) -> str:
    """Of the weights of the modules at `paths`; empty where none are."""
    inside = tuple(f"{path}." for path in paths)
    weights = dict(model.named_parameters(remove_duplicate=False))
    own = {id(weight): name for name, weight in weights.items() if name.startswith(inside)}
    pairs = [(own[id(weight)], name) for name, weight in weights.items() if id(weight) in own]
    pairs += [pair for pair in _by_name(model) if weights[pair[0]].is_meta and pair not in pairs]
    shared = [
        f"its {_within(mine, inside)} is also that of {_named(spec, other.rpartition('.')[0])} in the model"
        for mine, other in pairs
        if mine.startswith(inside) and not other.startswith(inside)
    ]
    return f"{', '.join(shared)}, but here it is on its own" if shared else ""


def _within(name: str, inside: Sequence[str]) -> str:
    around = next(one for one in inside if name.startswith(one))
    return name.removeprefix(around if len(inside) == 1 else f"{around.rstrip('.').rpartition('.')[0]}.")


def _named(spec: ModelSpec, path: str) -> str:
    """A module that is no part, as BERT's `cls.predictions` with the bias of its head, goes by its path."""
    try:
        return spec.name(path)
    except UnknownPartError:
        return path


def _by_name(model: Any) -> list[tuple[str, str]]:
    """As transformers has it, both ways: what is kept elsewhere is no longer one tensor."""
    known = dict(getattr(model, "all_tied_weights_keys", None) or {})
    return [*known.items(), *((source, target) for target, source in known.items())]
