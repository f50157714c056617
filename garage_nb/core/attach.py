"""Hooks that belong to somebody: set together, taken down together, deaf to every other thread.

`Attached` is the only place in the project that touches a hook table. Writers go first and readers last, so a
reader sees what the next layer will see, and transformers' own recorders (which it leaves on a model for good) see the
written value too. A pass uses it as a `with` block; what stays on from call to call says `hold()`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..errors import HookError, UnsupportedModelError
from .sites import (
    Call,
    Read,
    Reader,
    Site,
    Tap,
    Write,
    Writer,
    entering,
    fitting,
    leaving,
    modules_at,
    with_entering,
    with_leaving,
)


class Attached:
    """Taps on a model while the `with` block stands, acting only for the thread that opened it."""

    def __init__(self, model: nn.Module, taps: Iterable[Tap], after: Callable[[], None] | None = None) -> None:
        """`after` is called each time a read has been made. What cannot work raises here, before any hook is set."""
        _demand_uncompiled(model)
        groups = _by_site(taps)
        modules = modules_at(model, [site.path for site in groups])
        self._hooks = [hook for site, mine in groups.items() for hook in self._for_site(modules[site.path], site, mine)]
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

    def made(self, site: Site) -> None:
        """A read was made at `site`."""
        self.fired.add(site)
        if self._after is not None:
            self._after()

    def _for_site(self, module: nn.Module, site: Site, taps: Sequence[Tap]) -> list[_Hook]:
        writers = [tap.fn for tap in taps if isinstance(tap, Write)]
        readers = [tap.fn for tap in taps if isinstance(tap, Read)]
        hooks: list[_Hook] = [_CallHook(self, module, site, tap.fn) for tap in taps if isinstance(tap, Call)]
        if writers:
            hooks.append(_WriteHook(self, module, site, writers))
        if readers:
            hooks.append(_ReadHook(self, module, site, readers))
        return hooks


class _Hook:
    """One entry in a module's hook table; the type is how `sweep` knows ours from everyone else's."""

    first = False

    def __init__(self, owner: Attached, module: nn.Module, site: Site) -> None:
        self.owner, self.module, self.site = owner, module, site

    def register(self) -> RemovableHandle:
        if self.site.side == "output":
            handle = self.module.register_forward_hook(self._on_output, with_kwargs=False, prepend=self.first)
        else:
            handle = self.module.register_forward_pre_hook(self._on_input, with_kwargs=True, prepend=self.first)
        _keep_order(self.module, self.site.side)
        return handle

    def _on_output(self, module: nn.Module, args: Any, output: Any) -> Any:
        if not self.owner.acting:
            return None
        hidden = leaving(output)
        changed = self.touch(hidden)
        return None if changed is hidden else with_leaving(output, changed)

    def _on_input(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self.owner.acting:
            return None
        hidden = entering(args, kwargs)
        changed = self.touch(hidden)
        return None if changed is hidden else with_entering(args, kwargs, changed)

    def touch(self, hidden: Tensor) -> Tensor:
        """Look at the hidden states, or answer others in their place."""
        return hidden


class _WriteHook(_Hook):
    first = True

    def __init__(self, owner: Attached, module: nn.Module, site: Site, writers: Sequence[Writer]) -> None:
        super().__init__(owner, module, site)
        self.writers = writers

    def touch(self, hidden: Tensor) -> Tensor:
        for write in self.writers:
            hidden = fitting(str(self.site), hidden, write(hidden))
        return hidden


class _ReadHook(_Hook):
    def __init__(self, owner: Attached, module: nn.Module, site: Site, readers: Sequence[Reader]) -> None:
        super().__init__(owner, module, site)
        self.readers = readers

    def touch(self, hidden: Tensor) -> Tensor:
        for read in self.readers:
            read(hidden)
        self.owner.made(self.site)
        return hidden


class _CallHook(_Hook):
    def __init__(self, owner: Attached, module: nn.Module, site: Site, fn: Callable[..., Any]) -> None:
        super().__init__(owner, module, site)
        self.fn = fn

    def _on_output(self, module: nn.Module, args: Any, output: Any) -> Any:
        return self.fn(module, args, output) if self.owner.acting else None


def sweep(model: nn.Module) -> int:
    """Remove hooks of ours that an interrupt left behind. Returns how many. Not for use during a pass."""
    removed = 0
    for module in model.modules():
        for table in (module._forward_hooks, module._forward_pre_hooks):
            stale = [key for key, fn in table.items() if (hook := _ours(fn)) is not None and hook.owner.stale]
            for key in stale:
                del table[key]
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


def _by_site(taps: Iterable[Tap]) -> dict[Site, list[Tap]]:
    groups: dict[Site, list[Tap]] = {}
    for tap in taps:
        groups.setdefault(tap.site, []).append(tap)
    return groups


def _ours(fn: Any) -> _Hook | None:
    owner = getattr(fn, "__self__", None)
    return owner if isinstance(owner, _Hook) else None


def _keep_order(module: nn.Module, side: str) -> None:
    """Writers stand before everyone else's hooks but in the order they were opened; `prepend` alone reverses them.

    Readers stand after everyone else's.
    """
    table: Any = module._forward_hooks if side == "output" else module._forward_pre_hooks
    ours = {key: hook for key, fn in sorted(table.items()) if (hook := _ours(fn)) is not None}
    for key in reversed([key for key, hook in ours.items() if isinstance(hook, _WriteHook)]):
        table.move_to_end(key, last=False)
    for key in [key for key, hook in ours.items() if isinstance(hook, _ReadHook)]:
        table.move_to_end(key)
