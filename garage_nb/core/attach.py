"""Hooks that belong to somebody: set together, taken down together, deaf to every other thread.

`Attached` is the only place in the project that touches a hook table. Writers go first and readers last, so a
reader sees what the next layer will see, and transformers' own recorders (which it leaves on a model for good) see the
written value too. Writers to single experts go before those to the sum over them, as the experts do. A pass uses it as
a `with` block; what stays on from call to call says `hold()`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import takewhile
from types import TracebackType
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..errors import HookError, UnsupportedModelError
from .sites import (
    Call,
    Read,
    Site,
    Tap,
    Watch,
    Write,
    entering,
    found,
    leaving,
    modules_at,
    with_entering,
    with_leaving,
    written,
)
from .units import Expert, Passing, Unit

Door = tuple[str, str]  # the path of a module, and which side of it


class Attached:
    """Taps on a model while the `with` block stands, acting only for the thread that opened it."""

    def __init__(self, model: nn.Module, taps: Iterable[Tap], after: Callable[[], None] | None = None) -> None:
        """`after` is called each time reads have been made. What cannot work raises here, before any hook is set."""
        _demand_uncompiled(model)
        wanted = list(taps)
        groups = _by_door(wanted)
        modules = modules_at(model, [path for path, _ in groups])
        self._hooks = [hook for door, mine in groups.items() for hook in self._for_door(modules[door[0]], door, mine)]
        if any(tap.site.turn is not None for tap in wanted):
            self._hooks.insert(0, _StartHook(self, model, ("", "input")))
        self._after = after
        self._handles: list[RemovableHandle] = []
        self._owner: threading.Thread | None = None
        self._held = False
        self.fired: set[Site] = set()

    def hold(self) -> None:
        """Stay in force until `close()`, from one pass to the next; `sweep` leaves it alone."""
        self._held = True
        self.__enter__()

    def __enter__(self) -> Attached:
        self._owner = threading.current_thread()  # not its ident, which a later thread may be given again
        try:
            for hook in self._hooks:
                self._handles.append(hook.register())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Deaf first, gone second: an interrupt between the two leaves nothing that acts."""
        self._owner = None
        while self._handles:
            self._handles[-1].remove()
            self._handles.pop()

    @property
    def acting(self) -> bool:
        return self._owner is threading.current_thread()

    @property
    def stale(self) -> bool:
        """Nothing will take it down: closed halfway, or the pass it served was interrupted at its edge."""
        return self._owner is None or (self.acting and not self._held)

    def made(self, sites: Iterable[Site]) -> None:
        """Reads were made at these sites."""
        self.fired.update(sites)
        if self._after is not None:
            self._after()

    def new_pass(self) -> None:
        """The calls of modules that run several times in a pass are counted from 0 again."""
        for hook in self._hooks:
            hook.calls = 0

    def _for_door(self, module: nn.Module, door: Door, taps: Sequence[Tap]) -> list[_Hook]:
        writers = [tap for tap in taps if isinstance(tap, Write) and not isinstance(tap.site.unit, Expert)]
        to_experts = [tap for tap in taps if isinstance(tap, Write) and isinstance(tap.site.unit, Expert)]
        readers = [tap for tap in taps if isinstance(tap, Read)]
        hooks: list[_Hook] = [_CallHook(self, module, door, tap.fn) for tap in taps if isinstance(tap, Call)]
        hooks += [_WatchHook(self, module, door, tap.fn) for tap in taps if isinstance(tap, Watch)]
        if to_experts:
            hooks += [expert := _ExpertHook(self, module, door, to_experts), _EndHook(expert)]
        if writers:
            hooks.append(_WriteHook(self, module, door, writers))
        if readers:
            hooks.append(_ReadHook(self, module, door, readers))
        return hooks


class _Hook:
    """One entry in a module's hook table; the type is how `sweep` knows ours from everyone else's.

    Those with a `rank` below 0 stand before everyone else's hooks, those above 0 after, each in the order of ranks.
    """

    rank = 0

    def __init__(self, owner: Attached, module: nn.Module, door: Door) -> None:
        self.owner, self.module, (self.path, self.side) = owner, module, door
        self.calls = 0
        self.shares: dict[Unit, Tensor] = {}  # of experts, as they stand after this hook in the call under way

    def register(self) -> RemovableHandle:
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
        ours = [hook for fn in _table(self.module, self.side).values() if (hook := _ours(fn)) is not None]
        earlier = [hook for hook in takewhile(lambda hook: hook is not self, ours) if hook.owner.acting]
        return {unit: share for hook in earlier for unit, share in hook.shares.items()}


class _WriteHook(_Hook):
    rank = -1

    def __init__(self, owner: Attached, module: nn.Module, door: Door, writes: Sequence[Write]) -> None:
        super().__init__(owner, module, door)
        self.writes = writes

    def touch(self, passing: Passing, turn: int) -> Tensor:
        for write in self.writes:
            if write.site.turn in (None, turn):
                passing = replace(passing, hidden=written(write, passing))
        return passing.hidden


class _ExpertHook(_WriteHook):
    """Takes the shares up where the one before it left them."""

    rank = -2

    def touch(self, passing: Passing, turn: int) -> Tensor:
        passing = replace(passing, shares=self.shares_before())
        hidden = super().touch(passing, turn)
        self.shares = passing.shares
        return hidden


class _ReadHook(_Hook):
    rank = 1

    def __init__(self, owner: Attached, module: nn.Module, door: Door, reads: Sequence[Read]) -> None:
        super().__init__(owner, module, door)
        self.reads = reads

    def touch(self, passing: Passing, turn: int) -> Tensor:
        reads = [read for read in self.reads if read.site.turn in (None, turn)]
        passing = replace(passing, shares=self.shares_before())
        for read in reads:
            read.fn(found(read.site, passing))
        self.owner.made([read.site for read in reads])
        return passing.hidden


class _EndHook(_Hook):
    """After all readers: shares are kept no longer than the call."""

    rank = 2

    def __init__(self, expert: _ExpertHook) -> None:
        super().__init__(expert.owner, expert.module, (expert.path, expert.side))
        self.expert = expert

    def touch(self, passing: Passing, turn: int) -> Tensor:
        self.expert.shares = {}
        return passing.hidden


class _StartHook(_Hook):
    """At the model itself: tells the others that a pass begins."""

    def at_input(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.owner.new_pass()


class _CallHook(_Hook):
    def __init__(self, owner: Attached, module: nn.Module, door: Door, fn: Callable[..., Any]) -> None:
        super().__init__(owner, module, door)
        self.fn = fn

    def at_output(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        return self.fn(module, args, output)


class _WatchHook(_Hook):
    def __init__(self, owner: Attached, module: nn.Module, door: Door, fn: Callable[[nn.Module, Any], None]) -> None:
        super().__init__(owner, module, door)
        self.fn = fn

    def at_output(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        self.fn(module, output)

    def at_input(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.fn(module, (args, kwargs))


def sweep(model: nn.Module) -> int:
    """Remove hooks of ours that an interrupt left behind. Returns how many. Not for use during a pass."""
    removed = 0
    for module in model.modules():
        for table in (module._forward_hooks, module._forward_pre_hooks):
            stale = [key for key, fn in table.items() if (hook := _ours(fn)) is not None and hook.owner.stale]
            for key in stale:
                del table[key]
                module._forward_hooks_with_kwargs.pop(key, None)
                module._forward_pre_hooks_with_kwargs.pop(key, None)
            removed += len(stale)
    return removed


def hooks_of_ours(module: nn.Module) -> int:
    """How many hooks this project has on one module right now."""
    return sum(
        _ours(fn) is not None for table in (module._forward_hooks, module._forward_pre_hooks) for fn in table.values()
    )


def hooks_of_others(module: nn.Module) -> tuple[int, ...]:
    """The ids of everyone else's hooks on one module, backward ones too."""
    tables: Any = (
        module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks
    )  # fmt: skip
    return tuple(key for table in tables for key, fn in table.items() if _ours(fn) is None)


def demand_fired(attached: Attached, taps: Iterable[Tap]) -> None:
    """HookError when a place to read was never reached: a missing row must not look like an empty one."""
    silent = [str(tap.site) for tap in taps if isinstance(tap, Read) and tap.site not in attached.fired]
    if silent:
        raise HookError(
            f"Nothing passed through {', '.join(silent[:3])} in this run.",
            "The model does not use it on this path; read a place that `parts` lists.",
        )


def _demand_uncompiled(model: nn.Module) -> None:
    """A compiled graph keeps the hooks it was traced with and is deaf to all others, silently."""
    for path, module in model.named_modules():
        if module._compiled_call_impl is not None or "_orig_mod" in module._modules:
            raise UnsupportedModelError(
                f"{path or type(module).__name__} is compiled, and compiled code ignores hooks set later.",
                "Give the model as it was before torch.compile.",
            )


def _by_door(taps: Iterable[Tap]) -> dict[Door, list[Tap]]:
    """One door, one hook of each kind: edits of a part and of its heads act in the order they were given."""
    groups: dict[Door, list[Tap]] = {}
    for tap in taps:
        groups.setdefault((tap.site.path, tap.site.side), []).append(tap)
    return groups


def _ours(fn: Any) -> _Hook | None:
    owner = getattr(fn, "__self__", None)
    return owner if isinstance(owner, _Hook) else None


def _table(module: nn.Module, side: str) -> Any:
    return module._forward_hooks if side == "output" else module._forward_pre_hooks


def _keep_order(module: nn.Module, side: str) -> None:
    """By rank, and within a rank in the order they were opened; `prepend` alone reverses that."""
    table = _table(module, side)
    ranks = {key: hook.rank for key, fn in sorted(table.items()) if (hook := _ours(fn)) is not None}
    keys = sorted(ranks, key=ranks.__getitem__)
    for key in reversed([key for key in keys if ranks[key] < 0]):
        table.move_to_end(key, last=False)
    for key in [key for key in keys if ranks[key] > 0]:
        table.move_to_end(key)
