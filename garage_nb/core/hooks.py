"""HookManager: read or change single modules by raw path, for those who want the lowest level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ..errors import HookError, InputError, nearest
from .attach import Attached
from .block import Block
from .sites import Call, Read, Site, Tap, Write, everywhere


class HookManager(Block):
    """Hooks by module path while the `with` block stands (or until `remove_all`).

    Hooks act only in the context of the block, or without one in the thread that registered them. What was captured can
    still be read after the block.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._captured: dict[str, dict[str, Tensor]] = {}

    def register_capture_hook(self, path: str, hook_name: str | None = None, *, capture_input: bool = False) -> str:
        """Keep a copy of what leaves `path` (and enters it, with `capture_input`) in the latest forward.

        Returns the hook's name, `path` unless given. A name in use is an InputError.
        """
        kept: dict[str, Tensor] = {}
        taps: list[Tap] = [Read(Site(path), _keeper(kept, "output"))]
        if capture_input:
            taps.append(Read(Site(path, "input"), _keeper(kept, "input")))
        name = self._attach(hook_name or path, taps)
        self._captured[name] = kept
        return name

    def register_injection_hook(self, path: str, fn: Callable[[Tensor], Tensor], hook_name: str | None = None) -> str:
        """Replace what leaves `path` by `fn(hidden)`, of the same shape."""
        return self._attach(hook_name or path, [Write(Site(path), everywhere(fn))])

    def register_forward_hook(self, path: str, fn: Callable[..., Any], hook_name: str | None = None) -> str:
        """A plain torch forward hook `fn(module, args, output)`; what it returns, if anything, replaces the output."""
        return self._attach(hook_name or path, [Call(Site(path), fn)])

    def get_captured(self, name: str) -> dict[str, Tensor]:
        """`{"output": …}` of the latest forward, `"input"` too when asked for; shaped as in the model."""
        if name not in self._captured:
            raise HookError(f"No capture hook {name!r}.", f"There are: {nearest(name, self._captured) or 'none yet'}.")
        if not self._captured[name]:
            raise HookError(f"The hook {name!r} has not fired.", "Run the model inside the `with` block first.")
        return dict(self._captured[name])

    def list_hooks(self) -> list[str]:
        return list(self._open)

    def remove_hook(self, name: str) -> None:
        if name not in self._open:
            raise HookError(f"No hook {name!r}.", f"There are: {nearest(name, self._open) or 'none'}.")
        self.let_go(name)

    def _attach(self, name: str, taps: list[Tap]) -> str:
        if name in self._open:
            raise InputError(
                f"A hook named {name!r} is set already.", "Give another hook_name, or remove_hook() first."
            )
        self.hold(name, Attached(self.model, taps))
        return name


def _keeper(kept: dict[str, Tensor], key: str) -> Callable[[Tensor], None]:
    def keep(hidden: Tensor) -> None:
        kept[key] = hidden.detach().clone()  # some blocks write into their output afterwards

    return keep
