"""Doors: our entries in the hook tables of modules; `places` says which ones taps need.

Writers go first and readers last, so a reader sees what the next layer will see, and transformers' own recorders (which
it leaves on a model for good) see the written value too. Writers to single experts go before those to the sum over
them, as the experts do. All are deaf outside the runs of their owner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import takewhile
from typing import Any, Protocol

from torch import Tensor, nn

from .cancel import Cancel
from .choice import chosen_again
from .owner import Owner
from .sites import (
    Read,
    Watch,
    Write,
    entering,
    found,
    leaving,
    with_entering,
    with_leaving,
    written,
)  # fmt: skip
from .skip import Skip
from .units import Passing, Unit


class Handle(Protocol):
    def remove(self) -> None: ...


class Door:
    """One entry in a module's hook table; the type is how `sweep` knows ours from everyone else's.

    Those with a `rank` below 0 stand before everyone else's hooks, those above 0 after, each in the order of ranks.
    """

    rank = 0

    def __init__(self, owner: Owner, module: nn.Module, side: str) -> None:
        self.owner, self.module, self.side = owner, module, side
        self.calls = 0
        self.shares: dict[Unit, Tensor] = {}  # of experts, as they stand after this hook in the call under way
        self.logits: Tensor | None = None  # of a router, likewise

    def register(self) -> Handle:
        if self.side == "output":
            handle = self.module.register_forward_hook(self.on_output, with_kwargs=True, prepend=self.rank < 0)
        else:
            handle = self.module.register_forward_pre_hook(self.on_input, with_kwargs=True, prepend=self.rank < 0)
        _keep_order(self.module, self.side)
        return handle

    def on_output(self, module: nn.Module, args: tuple[Any, ...], *rest: Any) -> Any:
        """`rest` is (kwargs, output), but for a hook whose registration was interrupted: that one is deaf."""
        return self.at_output(module, args, *rest) if self.owner.acting else None

    def on_input(self, module: nn.Module, args: tuple[Any, ...], *rest: Any) -> Any:
        return self.at_input(module, args, *rest) if self.owner.acting else None

    def at_output(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        hidden = leaving(output)
        changed = self._touched(Passing(module, args, kwargs, hidden))
        return None if changed is hidden else with_leaving(output, changed)

    def at_input(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        hidden = entering(args, kwargs)
        changed = self._touched(Passing(module, args, kwargs, hidden))
        return None if changed is hidden else with_entering(args, kwargs, changed)

    def _touched(self, passing: Passing) -> Tensor:
        self.calls += 1
        return self.touch(passing, self.calls - 1)

    def touch(self, passing: Passing, turn: int) -> Tensor:
        """Look at the hidden states, or answer others in their place."""
        return passing.hidden

    def shares_before(self) -> dict[Unit, Tensor]:
        """Of experts written to in the call under way, whoever did it."""
        return {unit: share for door in self.before() for unit, share in door.shares.items()}

    def before(self) -> list[Door]:
        """Those at the same side that have acted in the call under way, whoever set them."""
        doors = [door for fn in _table(self.module, self.side).values() if (door := ours(fn)) is not None]
        return [door for door in takewhile(lambda door: door is not self, doors) if door.owner.acting]


class WriteDoor(Door):
    rank = -1

    def __init__(self, owner: Owner, module: nn.Module, side: str, writes: Sequence[Write]) -> None:
        super().__init__(owner, module, side)
        self.writes = writes

    def touch(self, passing: Passing, turn: int) -> Tensor:
        for write in self.writes:
            if write.site.turn in (None, turn):
                stand = self.owner.standing.at(write.site.stack)
                passing = replace(passing, hidden=written(write, passing, stand, self.owner.ledger))
        return passing.hidden


class ExpertDoor(WriteDoor):
    """Takes the shares up where the one before it left them."""

    rank = -2

    def touch(self, passing: Passing, turn: int) -> Tensor:
        passing = replace(passing, shares=self.shares_before())
        hidden = super().touch(passing, turn)
        self.shares = passing.shares
        return hidden


class ReadDoor(Door):
    rank = 1

    def __init__(self, owner: Owner, module: nn.Module, side: str, reads: Sequence[Read]) -> None:
        super().__init__(owner, module, side)
        self.reads = reads

    def touch(self, passing: Passing, turn: int) -> Tensor:
        reads = [read for read in self.reads if read.site.turn in (None, turn)]
        passing = replace(passing, shares=self.shares_before())
        for read in reads:
            read.fn(found(read.site, passing))
        self.owner.made([read.site for read in reads])
        return passing.hidden


class ChoiceDoor(Door):
    """Has a router choose again, by what another door makes of its logits after those before it."""

    rank = -1

    def __init__(self, owner: Owner, module: nn.Module, inner: Door) -> None:
        super().__init__(owner, module, "output")
        self.inner = inner

    def at_output(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        earlier = next((door.logits for door in reversed(self.before()) if isinstance(door, ChoiceDoor)), None)

        def changed(logits: Tensor) -> Tensor:
            self.calls += 1
            passing = Passing(module, args, kwargs, logits if earlier is None else earlier)
            self.logits = self.inner.touch(passing, self.calls - 1)
            return self.logits

        return chosen_again(module, args, kwargs, output, changed)


class ChosenByDoor(ChoiceDoor):
    """Reads the logits, and leaves the choice that was made by them."""

    rank = 1

    def at_output(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        super().at_output(module, args, kwargs, output)
        self.logits = None


class EndDoor(Door):
    """After all readers: shares and logits are kept no longer than the call."""

    rank = 2

    def __init__(self, door: Door) -> None:
        super().__init__(door.owner, door.module, door.side)
        self.door = door

    def touch(self, passing: Passing, turn: int) -> Tensor:
        self.door.shares, self.door.logits = {}, None
        return passing.hidden


class StartDoor(Door):
    """At the model itself: a pass begins, and the calls of modules that run several times are counted from 0 again."""

    def __init__(
        self, owner: Owner, module: nn.Module, others: Sequence[Door | Skip], told: Sequence[Callable[..., None]] = ()
    ) -> None:
        super().__init__(owner, module, "input")
        self.others, self.told = others, told

    def at_input(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.owner.standing.called(args, kwargs)
        for door in self.others:
            door.calls = 0
        for told in self.told:
            told(self.owner.standing)


class CancelDoor(Door):
    """At every block: the run ends here when it has been asked to."""

    def __init__(self, owner: Owner, module: nn.Module, cancel: Cancel) -> None:
        super().__init__(owner, module, "input")
        self.cancel = cancel

    def at_input(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.cancel.demand_not_asked()


class CallDoor(Door):
    def __init__(self, owner: Owner, module: nn.Module, side: str, fn: Callable[..., Any]) -> None:
        super().__init__(owner, module, side)
        self.fn = fn

    def at_output(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        return self.fn(module, args, output)


class WatchDoor(Door):
    def __init__(self, owner: Owner, module: nn.Module, side: str, watch: Watch) -> None:
        super().__init__(owner, module, side)
        self.watch = watch
        self.rank = -3 if watch.untouched else 0

    def at_output(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        self.watch.fn(module, output)

    def at_input(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.watch.fn(module, (args, kwargs))


def ours(fn: Any) -> Door | None:
    """The door that a hook is, if it is one of ours."""
    owner = getattr(fn, "__self__", None)
    return owner if isinstance(owner, Door) else None


def _table(module: nn.Module, side: str) -> Any:
    return module._forward_hooks if side == "output" else module._forward_pre_hooks


def _keep_order(module: nn.Module, side: str) -> None:
    """By rank, and within a rank in the order they were opened; `prepend` alone reverses that."""
    table = _table(module, side)
    ranks = {key: door.rank for key, fn in sorted(table.items()) if (door := ours(fn)) is not None}
    keys = sorted(ranks, key=ranks.__getitem__)
    for key in reversed([key for key in keys if ranks[key] < 0]):
        _move(table, key, last=False)
    for key in [key for key in keys if ranks[key] > 0]:
        _move(table, key, last=True)


def _move(table: Any, key: int, *, last: bool) -> None:
    with suppress(KeyError):  # another thread has just closed that one
        table.move_to_end(key, last=last)
