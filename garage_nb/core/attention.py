"""Attention from inside: queries, keys and values on their way into the attention function, and the pattern.

transformers looks this function up in every call of an attention module, through `get_interface` of one shared object.
While any door asks, that object has a `get_interface` of ours before its own: it answers a function that serves the
doors of the module and calls the very one that was meant. No config is changed, and a module without doors, or whose
doors belong to another context, gets exactly what it would have had.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from weakref import ref

import torch
from torch import Tensor, nn

from ..errors import HookError, UnsupportedModelError
from .owner import Owner

INSIDE = ("query", "key", "value", "pattern")

_DOORS = "_garage_doors"  # on the module itself, as hooks are: they go when it goes
_GETTER = "get_interface"
_CHANGING = threading.RLock()
_ASKING: dict[int, ref[nn.Module]] = {}  # by id; not a WeakSet, which swallows interrupts while it is gone through
_REDIRECTS: list[_Redirect] = []


class Asker(Protocol):
    """A door to one side of a module's attention; those of lower rank come first."""

    owner: Owner
    module: nn.Module
    side: str
    rank: int

    def meets(self, tensor: Tensor) -> Tensor:
        """The tensor as transformers has it, (batch, heads, seq, dim); what is returned goes on in its place."""


@dataclass(frozen=True)
class Opened:
    """As torch's handle of a hook."""

    door: Asker

    def remove(self) -> None:
        with _CHANGING:
            _put(self.door.module, [door for door in askers_at(self.door.module) if door is not self.door])
            settle()


def opened(door: Asker) -> Opened:
    """From here on the door is served, whenever its owner is acting."""
    interface = demand_interface(door.module)
    with _CHANGING:
        _redirect(interface)
        _ASKING[id(door.module)] = ref(door.module)
        _put(door.module, sorted([*askers_at(door.module), door], key=lambda one: one.rank))
    return Opened(door)


def demand_interface(module: nn.Module) -> Any:
    """As `interface_of`. UnsupportedModelError where there is none."""
    interface = interface_of(module)
    if interface is None:
        raise UnsupportedModelError(
            f"{type(module).__name__} does not attend through transformers' attention interface.",
            "Read its heads instead, where they enter the output projection: attention_3.heads",
        )
    return interface


def askers_at(module: nn.Module) -> tuple[Asker, ...]:
    doors: tuple[Asker, ...] = vars(module).get(_DOORS, ())
    return doors


def settle() -> int:
    """Take the redirection away when no door asks any more. Returns how many there were to take away."""
    with _CHANGING:
        idle = list(_REDIRECTS) if is_left_over() else []
        for redirect in idle:
            redirect.remove()
            _REDIRECTS.remove(redirect)
        if idle:
            _ASKING.clear()
        return len(idle)


def is_left_over() -> bool:
    """Whether an interrupt left the redirection although no door asks."""
    with _CHANGING:
        modules = (one() for one in list(_ASKING.values()))
        return bool(_REDIRECTS) and not any(askers_at(module) for module in modules if module is not None)


def interface_of(module: nn.Module) -> Any | None:
    """The object through which the module's class can look its attention function up; None where it knows of none."""
    transformers: Any = sys.modules.get("transformers.modeling_utils")
    if transformers is None:
        return None
    spaces = (vars(sys.modules[kind.__module__]) for kind in type(module).__mro__ if kind.__module__ in sys.modules)
    known = (space.get("ALL_ATTENTION_FUNCTIONS") for space in spaces)
    return next((one for one in known if isinstance(one, transformers.AttentionInterface)), None)


def _put(module: nn.Module, doors: list[Asker]) -> None:
    """A new tuple each time: a pass in another thread goes through the one it found."""
    if doors:
        vars(module)[_DOORS] = tuple(doors)
    else:
        vars(module).pop(_DOORS, None)
        _ASKING.pop(id(module), None)


def _redirect(interface: Any) -> None:
    """Known first and standing second: what an interrupt leaves between the two is found."""
    known = next((one for one in _REDIRECTS if one.interface is interface), None)
    if known is None:
        _REDIRECTS.append(known := _Redirect(interface))
    known.stand()


class _Redirect:
    """Stands before the `get_interface` of one interface."""

    def __init__(self, interface: Any) -> None:
        self.interface = interface
        self._before = vars(interface).get(_GETTER)  # somebody else may stand there already
        self._get: Callable[..., Callable[..., Any]] = getattr(interface, _GETTER)

    def stand(self) -> None:
        """Where somebody stands before this one, it is asked through them."""
        if vars(self.interface).get(_GETTER) is self._before:
            setattr(self.interface, _GETTER, self)

    def __call__(self, attn_implementation: str | None, default: Callable[..., Any]) -> Callable[..., Any]:
        meant = _Meant(self._get(attn_implementation, default), default, attn_implementation)
        return partial(_attend, meant)

    def remove(self) -> None:
        if vars(self.interface).get(_GETTER) is not self:
            return
        if self._before is None:
            delattr(self.interface, _GETTER)
        else:
            setattr(self.interface, _GETTER, self._before)


@dataclass(frozen=True)
class _Meant:
    """The function that the module would have called, and its family's own one in plain operations."""

    function: Callable[..., Any]
    eager: Callable[..., Any]
    name: str | None


def _attend(
    meant: _Meant, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, *args: Any, **kwargs: Any
) -> Any:
    doors = [door for door in askers_at(module) if door.owner.acting]
    query, key, value = (_through(doors, *one) for one in (("query", query), ("key", key), ("value", value)))
    result = meant.function(module, query, key, value, *args, **kwargs)
    if any(door.side == "pattern" for door in doors):
        _through(doors, "pattern", _pattern(meant, module, (query, key, value), args, kwargs, result))
    return result


def _through(doors: list[Asker], side: str, tensor: Tensor) -> Tensor:
    for door in doors:
        if door.side == side:
            tensor = door.meets(tensor)
    return tensor


def _pattern(
    meant: _Meant,
    module: nn.Module,
    given: tuple[Tensor, Tensor, Tensor],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    result: Any,
) -> Tensor:
    """(batch, heads, query, key), from the family's own function, which knows its soft caps and sinks."""
    if meant.function is not meant.eager:
        if meant.name != "sdpa":
            raise HookError(
                f"The attention pattern cannot be had under {meant.name}, whose masks are of another form.",
                'Call model.set_attn_implementation("sdpa") first.',
            )
        query, key, value = given
        options = {**kwargs, "dropout": 0.0}
        mask, *rest = args or (options.pop("attention_mask", None),)
        added = _added(mask, module, query, key, kwargs)
        few = value[..., :1]  # what is made of the values is thrown away
        result = meant.eager(module, query, key, few, added, *rest, **options)
    weights = result[1]
    if not isinstance(weights, Tensor):
        raise HookError(f"{type(module).__name__} makes no attention pattern.", "Read its heads or its q and k.")
    return weights


def _added(mask: Any, module: nn.Module, query: Tensor, key: Tensor, kwargs: Mapping[str, Any]) -> Tensor | None:
    """The kernel's mask as the plain operations take it, added to the scores.

    Where the kernel has none it looks at earlier tokens alone, unless there is one query or the module looks both ways.
    """
    rows, columns = query.shape[2], key.shape[2]
    if mask is None:
        causal = kwargs.get("is_causal")
        causal = getattr(module, "is_causal", True) if causal is None else causal
        if rows == 1 or not causal:
            return None
        mask = torch.ones(rows, columns, dtype=torch.bool, device=query.device).tril()[None, None]
    if mask.dtype is not torch.bool:
        return mask
    lowest = torch.finfo(query.dtype).min
    return torch.zeros(mask.shape, dtype=query.dtype, device=mask.device).masked_fill(~mask, lowest)
