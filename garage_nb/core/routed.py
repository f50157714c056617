"""Routed: what a module of fused experts is called with, the experts chosen for every token and how much each counts.

Whatever a router's formula is, its block hands on (tokens, k) indices and weights that stand beside them, or one a
token and expert. Both are one matrix here, (tokens, experts), 0 where an expert has no say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..errors import HookError

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Routed:
    """`chosen_as` and `weights_as` say where each stands: the place of a positional argument, or its keyword."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    chosen_as: str
    weights_as: str

    @property
    def chosen(self) -> Int[Tensor, "tokens k"]:
        found: Tensor = _named(self.args, self.kwargs)[self.chosen_as]
        return found

    @property
    def weights(self) -> Float[Tensor, "tokens any"]:
        found: Tensor = _named(self.args, self.kwargs)[self.weights_as]
        return found

    @property
    def side_by_side(self) -> bool:
        """Whether a weight stands at the place of the index it belongs to."""
        return self.chosen.shape == self.weights.shape

    def of(self, index: int) -> Float[Tensor, "tokens any"]:
        """Which weights are those of one expert."""
        if self.side_by_side:
            return self.chosen == index
        return torch.arange(self.weights.shape[-1], device=self.weights.device) == index

    def matrix(self, experts: int) -> Float[Tensor, "tokens experts"]:
        """An index beyond the last expert means none."""
        shape = (self.chosen.shape[0], experts + 1)
        empty = torch.zeros(shape, dtype=self.weights.dtype, device=self.weights.device)
        chosen = self.chosen.clamp(max=experts)
        weights = self.weights if self.side_by_side else self.weights.gather(1, chosen.clamp(max=experts - 1))
        return empty.scatter(1, chosen, weights)[:, :experts]

    def rerouted(self, before: Tensor, after: Float[Tensor, "tokens experts"]) -> Arguments:
        """The arguments where `after` is the matrix instead. Tokens whose row is what it was are told as they were."""
        if not self.side_by_side:
            wide = int((after != 0).sum(1).max())
            return self._with(after.topk(max(wide, self.chosen.shape[1]), dim=1).indices, after)
        changed = (after != before).any(1)
        wide = max(int(((after != 0) & changed[:, None]).sum(1).max()), 1)
        wide = wide if bool(changed.all()) else max(wide, self.chosen.shape[1])
        own = after.abs().topk(wide, dim=1).indices
        more = wide - self.chosen.shape[1]  # an expert named twice, the second time by 0, is one expert
        chosen = (
            self.chosen[:, :wide] if more <= 0 else torch.cat([self.chosen, self.chosen[:, :1].expand(-1, more)], 1)
        )
        weights = nn.functional.pad(self.weights, (0, max(more, 0)))[:, :wide]
        kept = ~changed[:, None]
        return self._with(chosen.where(kept, own.to(chosen.dtype)), weights.where(kept, after.gather(1, own)))

    def weighed(self, weights: Tensor) -> Arguments:
        """The arguments with other weights in the same form."""
        return _with(self.args, self.kwargs, self.weights_as, weights)

    def _with(self, chosen: Tensor, weights: Tensor) -> Arguments:
        return _with(*self.weighed(weights), self.chosen_as, chosen)


def routed(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Routed:
    """HookError for a module that is not told which experts are chosen."""
    tensors = {key: item for key, item in _named(args, kwargs).items() if isinstance(item, Tensor)}
    chosen = next((key for key, item in tensors.items() if not item.is_floating_point()), None)
    weights = None if chosen is None else _weights(tensors, tensors[chosen].shape[0])
    if chosen is None or weights is None:
        raise HookError(
            f"{type(module).__name__} was called without a choice of experts.",
            "Read the whole ffn of this layer instead.",
        )
    return Routed(args, kwargs, chosen, weights)


def experts_in(module: nn.Module) -> int:
    """The first dimension of its 3-D weights. HookError where there are none."""
    sizes = [parameter.shape[0] for parameter in module.parameters() if parameter.ndim == 3]
    if not sizes:
        raise HookError(f"{type(module).__name__} holds no fused experts.", "Name the gate of a layer: gate_3.")
    return sizes[0]


def _weights(tensors: Mapping[str, Tensor], rows: int) -> str | None:
    """The floating tensor beside the choice: (tokens, k) like it, or (tokens, experts)."""
    beside = [key for key, item in tensors.items() if item.is_floating_point() and item.shape[:-1] == (rows,)]
    return beside[-1] if len(beside) > 1 else None  # the first are the hidden states


def _named(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {str(place): item for place, item in enumerate(args)} | dict(kwargs)


def _with(args: tuple[Any, ...], kwargs: Mapping[str, Any], name: str, value: Tensor) -> Arguments:
    if name in kwargs:
        return args, {**kwargs, name: value}
    place = int(name)
    return (*args[:place], value, *args[place + 1 :]), dict(kwargs)
