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

from .routed import routed


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
        found = routed(passing.module, passing.args, passing.kwargs)
        args, kwargs = found.weighed(torch.where(found.of(self.index), found.weights, 0))
        output = passing.module.forward(*args, **kwargs)  # not called: hooks on it are for the real pass
        alone: Tensor = output if isinstance(output, Tensor) else output[0]
        return alone

    def with_own(self, passing: Passing, before: Tensor, after: Tensor) -> Tensor:
        passing.shares[self] = after
        return passing.hidden + (after - before)
