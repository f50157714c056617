"""Units below a module: the columns of a head or neuron, the share of one expert. Each can be taken out and put back.

To add a kind: a frozen value with `own` and `with_own`, both leaving what they are given as it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import HookError


@dataclass(frozen=True)
class Passing:
    """What a hook sees: the module, what it was called with, and the hidden states found there.

    `shares` remembers what has been written to experts in this call: their share cannot be read off `hidden` again.
    """

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    hidden: Tensor
    shares: dict[Unit, Tensor] = field(default_factory=dict)


class Unit(ABC):
    """A share of the hidden states at a place."""

    @abstractmethod
    def own(self, passing: Passing) -> Tensor:
        """The unit's share."""

    @abstractmethod
    def with_own(self, passing: Passing, before: Tensor, after: Tensor) -> Tensor:
        """The hidden states with the share `before` replaced by `after`; the same entries where the two are equal."""


@final
@dataclass(frozen=True)
class Columns(Unit):
    """Some of the last dimension, side by side: (…, stop − start)."""

    start: int
    stop: int

    def own(self, passing: Passing) -> Tensor:
        return passing.hidden[..., self.start : self.stop]

    def with_own(self, passing: Passing, before: Tensor, after: Tensor) -> Tensor:
        changed = passing.hidden.clone()
        changed[..., self.start : self.stop] = after
        return changed


@final
@dataclass(frozen=True)
class Expert(Unit):
    """What one of several experts adds to what leaves them together, already weighed by the router.

    Fused experts have no module each. The sum over experts is linear in the router's weights, so running the module
    again with all other weights at 0 gives this expert's share, whatever its formula is. An expert stands before that
    sum: what is done to its share is done before anything that is done to the sum, and a reader of the share sees no
    more than that.
    """

    index: int

    def own(self, passing: Passing) -> Float[Tensor, "tokens dim"]:
        return passing.shares[self] if self in passing.shares else self._alone(passing)

    def _alone(self, passing: Passing) -> Tensor:
        tensors = {key: item for key, item in _named(passing).items() if isinstance(item, Tensor)}
        chosen = next((key for key, item in tensors.items() if not item.is_floating_point()), None)
        weights = self._weights(tensors, chosen)
        if chosen is None or weights is None:
            raise HookError(
                f"{type(passing.module).__name__} was called without a choice of experts.",
                "Read the whole ffn of this layer instead.",
            )
        mine = self._mine(tensors[chosen], tensors[weights])
        args, kwargs = _with(passing, weights, torch.where(mine, tensors[weights], 0))
        output = passing.module.forward(*args, **kwargs)  # not called: hooks on it are for the real pass
        alone: Tensor = output if isinstance(output, Tensor) else output[0]
        return alone

    def with_own(self, passing: Passing, before: Tensor, after: Tensor) -> Tensor:
        passing.shares[self] = after
        return passing.hidden + (after - before)

    def _weights(self, tensors: Mapping[str, Tensor], chosen: str | None) -> str | None:
        """The floating tensor beside the choice: (tokens, k) like it, or (tokens, experts)."""
        if chosen is None:
            return None
        rows = tensors[chosen].shape[0]
        beside = [key for key, item in tensors.items() if item.is_floating_point() and item.shape[:-1] == (rows,)]
        return beside[-1] if len(beside) > 1 else None  # the first are the hidden states

    def _mine(self, chosen: Tensor, weights: Tensor) -> Tensor:
        if chosen.shape == weights.shape:
            return chosen == self.index
        return torch.arange(weights.shape[-1], device=weights.device) == self.index


def _named(passing: Passing) -> dict[str, Any]:
    return {str(place): item for place, item in enumerate(passing.args)} | dict(passing.kwargs)


def _with(passing: Passing, name: str, value: Tensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if name in passing.kwargs:
        return passing.args, {**passing.kwargs, name: value}
    place = int(name)
    return (*passing.args[:place], value, *passing.args[place + 1 :]), dict(passing.kwargs)
