"""Kept: what left a block in an earlier run, to be answered again instead of running the blocks before it.

It is answered again only while everything it came from is the same: weights, hooks of others, tokens, and the edits in
the blocks that are left out. What cannot be told to be the same is run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from .batch import Batch
from .condition import condition_of
from .walk import modules_of, tensors_of

BUDGET = 1 << 28  # bytes that are kept of one model

State = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Kept:
    """`outputs` are what the last block left out of each stack returned. `edits` made them what they are.

    `cached` are the keys and values of every block left out, where a prompt is kept to be gone on from.
    """

    state: State
    batch: Batch
    edits: tuple[object, ...]
    outputs: Mapping[str, Any]
    first: int
    cached: tuple[tuple[Tensor, Tensor], ...] = ()

    def fits(self, state: State, batch: Batch, edits: tuple[object, ...]) -> bool:
        alike = len(edits) == len(self.edits) and all(map(same, edits, self.edits))
        return alike and state == self.state and same_batch(batch, self.batch)

    @property
    def size(self) -> int:
        return sum(tensor.nbytes for item in (*self.outputs.values(), self.cached) for tensor in tensors_in(item))


class Shelf:
    """What is kept of one model, the latest last; the oldest goes when there is no room."""

    def __init__(self) -> None:
        self._kept: deque[Kept] = deque()

    def put(self, kept: Kept) -> None:
        self._kept.append(kept)
        while sum(one.size for one in self._kept) > BUDGET:
            self._kept.popleft()

    def clear(self) -> None:
        self._kept.clear()

    def find(
        self, first: int, state: State, batch: Batch, edits: tuple[object, ...], *, cached: bool = False
    ) -> Kept | None:
        """What spares every block before number `first`; `cached` asks for keys and values too."""
        fitting = (one for one in self._kept if one.first == first and bool(one.cached) == cached)
        found = (one for one in fitting if one.fits(state, batch, edits))
        return next(found, None)


_SHELVES: WeakKeyDictionary[nn.Module, Shelf] = WeakKeyDictionary()


def shelf_of(model: nn.Module) -> Shelf:
    return _SHELVES.setdefault(model, Shelf())


def state_of(model: nn.Module) -> State | None:
    """What tells two moments of a model apart: its tensors, how often they were written to, its settings and its code.

    None where that cannot be told: tensors made in inference mode do not count what is written to them, those on the
    meta device are brought by somebody, and a `forward` of the user's own may do anything.
    """
    modules = modules_of(model)
    tensors = list(tensors_of(modules))
    if any(tensor.is_inference() or tensor.is_meta for tensor in tensors) or any(map(_runs_otherwise, modules)):
        return None
    config: Any = getattr(model, "config", None)
    kernels = tuple(getattr(config, f"_{kind}_implementation", None) for kind in ("attn", "experts"))
    return kernels, tuple((tensor.data_ptr(), tensor._version, tensor.dtype) for tensor in tensors), condition_of(model)


def _runs_otherwise(module: nn.Module) -> bool:
    """By a `forward` that somebody put on it; accelerate's only moves weights."""
    return "forward" in vars(module) and "_hf_hook" not in vars(module)


def same_batch(a: Batch, b: Batch) -> bool:
    if a is b:
        return True
    x, y = a.inputs(), b.inputs()
    return x.keys() == y.keys() and all(_equal(x[name], y[name]) for name in x)


def same(a: object, b: object) -> bool:
    """Whether two edits are one. Those that hold tensors are only where the tensors are the same objects."""
    try:
        return a is b or (a is not None and type(a) is type(b) and a == b)
    except RuntimeError:  # two tensors of several entries have no one truth
        return False


def again(output: Any, rows: int = 1) -> Any:
    """What a block returned, as fresh tensors, `rows` times over along the batch."""
    if isinstance(output, Tensor):
        return output.repeat(rows, *[1] * (output.ndim - 1)) if output.ndim else output.clone()
    if isinstance(output, tuple):
        items = [again(item, rows) for item in output]
        return type(output)(*items) if hasattr(output, "_fields") else tuple(items)
    if isinstance(output, list):
        return [again(item, rows) for item in output]
    if isinstance(output, Mapping):
        return type(output)(**{key: again(item, rows) for key, item in output.items()})
    return output


def tensors_in(output: Any) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    items = output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple | list) else ()
    return [tensor for item in items for tensor in tensors_in(item)]


def _equal(x: Tensor, y: Tensor) -> bool:
    return x.device == y.device and torch.equal(x, y)
