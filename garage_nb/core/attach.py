"""Hooks that belong to somebody: set together, taken down together, deaf to every other thread.

`Attached` is the only place in the project that touches a hook table. Writers go first and readers last, so a
reader sees what the next layer will see, and transformers' own recorders (which it leaves on a model for good) see the
written value too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..errors import EditError, HookError
from .sites import (
    Call,
    Read,
    Reader,
    Site,
    Tap,
    Write,
    Writer,
    entering,
    leaving,
    module_at,
    with_entering,
    with_leaving,
)


class Attached:
    """Taps on a model while the `with` block stands, acting only for the thread that opened it."""

    def __init__(self, model: nn.Module, taps: Iterable[Tap], after: Callable[[], None] | None = None) -> None:
        """`after` is called each time a read has been made. Unknown sites raise here, before any hook is set."""
        self._hooks = [hook for site, mine in _by_site(taps).items() for hook in self._for_site(model, site, mine)]
        self._after = after
        self._handles: list[RemovableHandle] = []
        self._owner = 0
        self.fired: set[Site] = set()

    def __enter__(self) -> Attached:
        self._owner = threading.get_ident()
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
        self._owner = 0
        while self._handles:
            self._handles[-1].remove()
            self._handles.pop()

    @property
    def acting(self) -> bool:
        return self._owner == threading.get_ident()

    @property
    def closed(self) -> bool:
        return self._owner == 0

    def made(self, site: Site) -> None:
        """A read was made at `site`."""
        self.fired.add(site)
        if self._after is not None:
            self._after()

    def _for_site(self, model: nn.Module, site: Site, taps: Sequence[Tap]) -> list[_Hook]:
        module = module_at(model, site.path)
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
        if self.first:
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
            hidden = _fitting(self.site, hidden, write(hidden))
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
    """Remove hooks of ours whose owner has closed, which an interrupt can leave behind. Returns how many."""
    removed = 0
    for module in model.modules():
        for table in (module._forward_hooks, module._forward_pre_hooks):
            stale = [key for key, fn in table.items() if (hook := _ours(fn)) is not None and hook.owner.closed]
            for key in stale:
                del table[key]
            removed += len(stale)
    return removed


def demand_fired(attached: Attached, taps: Iterable[Tap]) -> None:
    """HookError when a place to read was never reached: a missing row must not look like an empty one."""
    silent = [str(tap.site) for tap in taps if isinstance(tap, Read) and tap.site not in attached.fired]
    if silent:
        raise HookError(
            f"Nothing passed through {', '.join(silent[:3])} in this run.",
            "The model does not use it on this path; read a place that `parts` lists.",
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
    """Writers stand before everyone else's hooks but in the order they were opened; `prepend` alone reverses them."""
    table: Any = module._forward_hooks if side == "output" else module._forward_pre_hooks
    writers = sorted(key for key, fn in table.items() if isinstance(_ours(fn), _WriteHook))
    for key in reversed(writers):
        table.move_to_end(key, last=False)


def _fitting(site: Site, before: Tensor, after: object) -> Tensor:
    if not isinstance(after, Tensor) or after.shape != before.shape:
        found = tuple(after.shape) if isinstance(after, Tensor) else type(after).__name__
        raise EditError(
            f"The edit at {site} returned {found} where {tuple(before.shape)} left the model.",
            "Return a tensor of the same shape.",
        )
    return after if after.dtype == before.dtype else after.to(before.dtype)
