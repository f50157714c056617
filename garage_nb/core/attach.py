"""Attached: taps set together and taken down together, acting only in the runs of whoever set them.

It is the only place in the project that puts anything into somebody's model. A pass uses it as a `with` block; what
stays on from call to call says `hold()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

from ..errors import HookError, NotFiniteError, UnsupportedModelError
from .attention import Opened, askers_at, settle
from .cancel import Cancel
from .doors import CancelDoor, Door, StartDoor, ours
from .owner import Owner
from .places import by_place, doors_for
from .sharded import demand_whole
from .sites import Read, Tap, Watch, Write, modules_at
from .skip import Answer, Skip, skip_at
from .standing import Prompts, Standing
from .walk import modules_of

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
        _demand_hookable(model)
        wanted, answers = list(taps), answers or {}
        demand_whole(model, (tap.site for tap in wanted if not isinstance(tap, Watch)))
        groups = by_place(wanted)
        modules = modules_at(model, [*(path for path, _ in groups), *answers])
        doors = [door for (path, side), mine in groups.items() for door in doors_for(self, modules[path], side, mine)]
        skips = [Skip(self, modules[path], given, rows) for path, given in answers.items()]
        told = [tap.told for tap in wanted if isinstance(tap, Write) and tap.told is not None]
        self._parts: list[Door | Skip] = [StartDoor(self, model, [*doors, *skips], told), *doors, *skips]
        if cancel is not None:
            self._parts += [CancelDoor(self, block, cancel) for block in _blocks(model)]
        self._handles: list[Any] = []

    def hold(self, **how: Any) -> None:
        """Stay in force until `close()`, from one pass to the next; the rest as `begin` takes it."""
        self._set(hold=True, **how)

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
        """Deaf first, gone second: an interrupt between the two leaves nothing that acts. For good: what is let go
        here would keep the model in memory until the garbage collector comes by.
        """
        self.end()
        while self._handles:
            _remove(self._handles[-1])
            self._handles.pop()
        self._parts.clear()

    def _set(self, **how: Any) -> None:
        self.begin(**how)
        try:
            for part in self._parts:
                self._handles.append(part.register())
        except BaseException:
            self.close()
            raise


def _remove(handle: Any) -> None:
    """Its flags before the hook itself: an interrupt between the two leaves what the sweep can find."""
    for flags in handle.extra_dict_ref if isinstance(handle, RemovableHandle) else ():
        if (entries := flags()) is not None:
            entries.pop(handle.id, None)
    handle.remove()


def sweep(model: nn.Module) -> int:
    """Remove hooks of ours that an interrupt left behind. Returns how many. Not for use during a pass."""
    removed = 0
    for module in modules_of(model):
        for table in (module._forward_hooks, module._forward_pre_hooks):
            for key, fn in list(table.items()):  # in one step: another thread may be opening or closing its own
                if (door := ours(fn)) is not None and door.owner.stale:
                    door.owner.end()
                    module._forward_hooks_with_kwargs.pop(key, None)
                    module._forward_pre_hooks_with_kwargs.pop(key, None)
                    table.pop(key, None)
                    removed += 1
        if (skip := skip_at(module)) is not None and skip.owner.stale:
            skip.owner.end()
            skip.remove()
            removed += 1
        for asker in askers_at(module):
            if asker.owner.stale:
                asker.owner.end()
                Opened(asker).remove()
                removed += 1
    return removed + settle()


def hooks_of_ours(module: nn.Module) -> int:
    """How many things this project has put on one module right now."""
    tables = (module._forward_hooks, module._forward_pre_hooks)
    hooks = sum(ours(fn) is not None for table in tables for fn in list(table.values()))
    return hooks + (skip_at(module) is not None) + len(askers_at(module))


def hooks_of_others(module: nn.Module) -> tuple[int, ...]:
    """The ids of everyone else's hooks on one module, backward ones too."""
    tables: Any = (
        module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks
    )  # fmt: skip
    return tuple(key for table in tables for key, fn in list(table.items()) if ours(fn) is None)


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
    lists = (module for module in modules_of(model) if isinstance(module, nn.ModuleList))
    return (block for items in lists for block in items)


def _demand_hookable(model: nn.Module) -> None:
    """Refuses what would ignore a hook without a word, and what has no numbers."""
    for module in modules_of(model):
        if _is_compiled(module):
            raise UnsupportedModelError(
                f"{_name(model, module)} is compiled, and compiled code ignores hooks set later.",
                "Give the model as it was before torch.compile.",
            )
        if _is_empty(module):
            raise UnsupportedModelError(
                f"{_name(model, module)} is on the meta device, where weights are shapes without numbers.",
                "Load the weights first.",
            )


def _name(model: nn.Module, module: nn.Module) -> str:
    path = next(path for path, other in model.named_modules() if other is module)
    return path or type(module).__name__


def _is_compiled(module: nn.Module) -> bool:
    """As a whole, wrapped, or its `forward` alone."""
    wraps = module._compiled_call_impl is not None or "_orig_mod" in module._modules
    return wraps or hasattr(vars(module).get("forward"), "_torchdynamo_orig_callable")


def _is_empty(module: nn.Module) -> bool:
    """accelerate's hook brings weights that are kept elsewhere for as long as the module runs."""
    brought = "_hf_hook" in vars(module)
    return not brought and any(weight is not None and weight.is_meta for weight in module._parameters.values())
