"""Doors inside modules: to queries, keys, values and patterns, to a stream that goes past, to a router's
choice and to what experts are told of it.

Each has a door of `doors` in it that knows what to do with the tensor; these know how it is reached and put back.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .attention import Opened, demand_interface, opened
from .doors import Door, WatchDoor
from .routed import experts_in, routed
from .sites import chosen, entering
from .units import Passing


class InsideDoor(Door):
    """Asks for one side of a module's attention. Queries, keys and values come as (batch, seq, heads, head_dim)."""

    def __init__(self, inner: Door, side: str) -> None:
        super().__init__(inner.owner, inner.module, side)
        demand_interface(inner.module)
        self.inner, self.rank = inner, inner.rank

    def register(self) -> Opened:
        return opened(self)

    def meets(self, tensor: Tensor) -> Tensor:
        hidden = tensor if self.side == "pattern" else tensor.transpose(1, 2)
        changed = self._touched(Passing(self.module, (), {}, hidden))
        return tensor if changed is hidden else changed.transpose(1, 2)

    def touch(self, passing: Passing, turn: int) -> Tensor:
        return self.inner.touch(passing, turn)


class InsideWatch(InsideDoor):
    """Tells of the tensor as transformers has it."""

    def __init__(self, inner: WatchDoor, side: str) -> None:
        super().__init__(inner, side)
        self.fn = inner.watch.fn

    def meets(self, tensor: Tensor) -> Tensor:
        self.fn(self.module, tensor)
        return tensor


def inside(inner: Door, side: str) -> Door:
    return InsideWatch(inner, side) if isinstance(inner, WatchDoor) else InsideDoor(inner, side)


class StreamDoor(Door):
    """At a module that takes the residual stream up while it also goes past: what is written is written in place."""

    def __init__(self, inner: Door) -> None:
        super().__init__(inner.owner, inner.module, "input")
        self.inner, self.rank = inner, inner.rank

    def at_input(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        hidden = entering(args, kwargs)
        changed = self._touched(Passing(module, args, kwargs, hidden))
        if changed is not hidden:
            hidden.copy_(changed)

    def touch(self, passing: Passing, turn: int) -> Tensor:
        return self.inner.touch(passing, turn)


class ChosenDoor(Door):
    """Reads which experts a router chose."""

    rank = 1

    def __init__(self, inner: Door) -> None:
        super().__init__(inner.owner, inner.module, "output")
        self.inner = inner

    def at_output(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        self._touched(Passing(module, args, kwargs, chosen(output)))

    def touch(self, passing: Passing, turn: int) -> Tensor:
        return self.inner.touch(passing, turn)


class RoutingDoor(Door):
    """At a module of experts, before it is called: how much each of them counts for a token."""

    def __init__(self, inner: Door) -> None:
        super().__init__(inner.owner, inner.module, "input")
        self.inner, self.rank, self.experts = inner, inner.rank, experts_in(inner.module)

    def at_input(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = routed(module, args, kwargs)
        before = found.matrix(self.experts)
        after = self._touched(Passing(module, args, kwargs, before))
        return None if after is before else found.rerouted(before, after)

    def touch(self, passing: Passing, turn: int) -> Tensor:
        return self.inner.touch(passing, turn)
