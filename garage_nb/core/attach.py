"""Attached: taps set together and taken down together, acting only in the runs of whoever set them.

It is the only place in the project that puts anything into somebody's model. A pass uses it as a `with` block; what
stays on from call to call says `hold()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from torch import nn

from ..errors import HookError, NotFiniteError, UnsupportedModelError
from .cancel import Cancel
from .doors import CancelDoor, Door, StartDoor, by_place, doors_for, ours
from .owner import Owner
from .sites import Read, Tap, modules_at
from .skip import Answer, Skip, skip_at
from .standing import Prompts, Standing

Answers = Mapping[str, Mapping[int | None, Answer]]


class Attached(Owner):
    """Taps on a model while the `with` block stands."""

    def __init__(
        self,
        model: nn.Module,
        taps: Iterable[Tap],
        *,
        after: Callable[[], None] | None = None,
        prompts: Prompts | None = None,
        answers: Answers | None = None,
        rows: int = 1,
        cancel: Cancel | None = None,
    ) -> None:
        """`after` is called each time reads have been made. `answers` are for blocks that need not run, by path and
        turn, each `rows` times over. What cannot work raises here, before anything is set.
        """
        super().__init__(after, Standing(prompts))
        _demand_uncompiled(model)
        wanted, answers = list(taps), answers or {}
        groups = by_place(wanted)
        modules = modules_at(model, [*(path for path, _ in groups), *answers])
        doors = [door for (path, side), mine in groups.items() for door in doors_for(self, modules[path], side, mine)]
        skips = [Skip(self, modules[path], given, rows) for path, given in answers.items()]
        self._parts: list[Door | Skip] = [StartDoor(self, model, [*doors, *skips]), *doors, *skips]
        if cancel is not None:
            self._parts += [CancelDoor(self, block, cancel) for block in _blocks(model)]
        self._handles: list[Any] = []

    def hold(self, *, thread: bool = False) -> None:
        """Stay in force until `close()`, from one pass to the next; `thread`: in every context of this thread."""
        self._set(hold=True, thread=thread)

    def __enter__(self) -> Attached:
        self._set()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if self.ledger is not None and (error is None or isinstance(error, NotFiniteError)):
            self.ledger.demand_finite()

    def close(self) -> None:
        """Deaf first, gone second: an interrupt between the two leaves nothing that acts."""
        self.end()
        while self._handles:
            self._handles[-1].remove()
            self._handles.pop()

    def _set(self, *, hold: bool = False, thread: bool = False) -> None:
        self.begin(hold=hold, thread=thread)
        try:
            for part in self._parts:
                self._handles.append(part.register())
        except BaseException:
            self.close()
            raise


def sweep(model: nn.Module) -> int:
    """Remove hooks of ours that an interrupt left behind. Returns how many. Not for use during a pass."""
    removed = 0
    for module in model.modules():
        for table in (module._forward_hooks, module._forward_pre_hooks):
            stale = [key for key, fn in table.items() if (door := ours(fn)) is not None and door.owner.stale]
            for key in stale:
                del table[key]
                module._forward_hooks_with_kwargs.pop(key, None)
                module._forward_pre_hooks_with_kwargs.pop(key, None)
            removed += len(stale)
        if (skip := skip_at(module)) is not None and skip.owner.stale:
            skip.remove()
            removed += 1
    return removed


def hooks_of_ours(module: nn.Module) -> int:
    """How many things this project has put on one module right now."""
    tables = (module._forward_hooks, module._forward_pre_hooks)
    return sum(ours(fn) is not None for table in tables for fn in table.values()) + (skip_at(module) is not None)


def hooks_of_others(module: nn.Module) -> tuple[int, ...]:
    """The ids of everyone else's hooks on one module, backward ones too."""
    tables: Any = (
        module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks
    )  # fmt: skip
    return tuple(key for table in tables for key, fn in table.items() if ours(fn) is None)


def demand_fired(attached: Attached, taps: Iterable[Tap]) -> None:
    """HookError when a place to read was never reached: a missing row must not look like an empty one."""
    silent = [str(tap.site) for tap in taps if isinstance(tap, Read) and tap.site not in attached.fired]
    if silent:
        raise HookError(
            f"Nothing passed through {', '.join(silent[:3])} in this run.",
            "The model does not use it on this path; read a place that `parts` lists.",
        )


def _blocks(model: nn.Module) -> Iterator[nn.Module]:
    """Where a run can stop: between the items of any list of modules."""
    lists = (module for module in model.modules() if isinstance(module, nn.ModuleList))
    return (block for items in lists for block in items)


def _demand_uncompiled(model: nn.Module) -> None:
    """A compiled graph keeps the hooks it was traced with and is deaf to all others, silently."""
    for path, module in model.named_modules():
        if module._compiled_call_impl is not None or "_orig_mod" in module._modules:
            raise UnsupportedModelError(
                f"{path or type(module).__name__} is compiled, and compiled code ignores hooks set later.",
                "Give the model as it was before torch.compile.",
            )
