"""Tape: what happened in one short forward, op by op and module by module.

Every tensor operation is written down with the values it took and gave, every module call with what entered and left.
A value is a tensor at one moment: written to in place, it becomes another value, and the old one is kept as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ...core.attention import interface_of
from ...core.sites import Side, Site, Watch, entering, leaving
from ...errors import HookError
from .kinds import is_elementary

LARGEST = 1 << 24  # entries; what is larger (a weight being unpacked) is not kept, and nothing is traced through it


class Value(NamedTuple):
    """One tensor between two writes to it."""

    tensor: int
    version: int


class Step(NamedTuple):
    """One operation. `numbers` are the plain numbers among its arguments."""

    op: str
    inputs: tuple[Value, ...]
    numbers: tuple[float, ...]
    at: int


@dataclass(eq=False)
class Call:
    """One call of one module; `turn` counts the calls of this module from 0. `form` is what it returned."""

    path: str
    module: nn.Module
    turn: int
    began: int
    parent: Call | None
    ended: int = -1
    entered: Value | None = None
    left: Value | None = None
    returned: tuple[Value, ...] = ()
    form: str = ""
    given: dict[str, Value] = field(default_factory=dict)

    def holds(self, at: int) -> bool:
        return self.began < at < self.ended

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def role(self) -> str:
        """The module's own name as the role in an address, where letters come first."""
        word = "".join(letter if letter.isalnum() else "_" for letter in self.name.lower())
        return word if word[:1].isalpha() else f"{type(self.module).__name__.lower()}_{word}"


@dataclass(eq=False)
class Attending:
    """One call of transformers' attention function; `turn` counts those for this module from 0."""

    path: str
    module: nn.Module
    turn: int
    at: int
    given: dict[str, Value] = field(default_factory=dict)


class Tape(TorchDispatchMode):
    """Use as a `with` block around the forward, with `watches` attached to the model.

    What happens inside an elementary module is one step: its formula is of no interest, and most operations are there.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Call] = []
        self.attending: list[Attending] = []
        self.steps: dict[Value, Step] = {}
        self._tensors: dict[int, Tensor] = {}
        self._older: dict[Value, Tensor] = {}
        self._versions: dict[int, int] = {}
        self._clock = 0
        self._open: list[Call] = []
        self._turns: dict[int, int] = {}
        self._inside = False

    def watches(self, model: nn.Module) -> Iterator[Watch]:
        """What to attach so that every module call below the model itself is written down."""
        for path, module in model.named_modules():
            if path:
                elementary = is_elementary(module)
                yield Watch(Site(path, "input"), self._entering(path, elementary))
                yield Watch(Site(path), self._leaving(elementary))
                if not elementary and interface_of(module) is not None:
                    yield Watch(Site(path, "query"), self._beginning_to_attend(path))
                    yield Watch(Site(path, "key"), self._attending_with("key"))
                    yield Watch(Site(path, "value"), self._attending_with("value"))

    def tensor(self, value: Value) -> Tensor:
        """The tensor as it was."""
        return self._older.get(value, self._tensors[value.tensor])

    def runs(self, module: nn.Module) -> int:
        """How often a module was called."""
        return self._turns.get(id(module), 0)

    def attends(self, module: nn.Module) -> int:
        """How often a module called the attention function."""
        return sum(one.module is module for one in self.attending)

    def overwritten(self, value: Value, by: int) -> bool:
        """Whether something wrote into the tensor before the moment `by`."""
        later = self.steps.get(Value(value.tensor, value.version + 1))
        return later is not None and later.at < by

    def value(self, tensor: object) -> Value | None:
        """The value a tensor is at this moment."""
        if not isinstance(tensor, Tensor) or tensor.numel() > LARGEST:
            return None
        self._tensors.setdefault(id(tensor), tensor)
        return Value(id(tensor), self._versions.get(id(tensor), 0))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        written = _written_by(func)
        if self._inside and not written:
            return func(*args, **(kwargs or {}))
        flat = _flat((*args, *kwargs.values()) if kwargs else args)
        inputs = tuple([value for item in flat if (value := self.value(item)) is not None])
        changed = [args[place] for place in written if place < len(args) and isinstance(args[place], Tensor)]
        for tensor in changed:
            self._keep(tensor)
        result = func(*args, **(kwargs or {}))
        for tensor in changed:
            self._versions[id(tensor)] = self._versions.get(id(tensor), 0) + 1
        numbers = tuple([float(item) for item in flat if type(item) in (int, float)])
        self._write(func._overloadpacket.__name__, inputs, numbers, changed or _flat((result,)))
        return result

    def _write(self, op: str, inputs: tuple[Value, ...], numbers: tuple[float, ...], results: Iterable[object]) -> None:
        self._clock += 1
        step = Step(op, inputs, numbers, self._clock)
        for tensor in results:
            made = self.value(tensor)
            if made is not None and made not in inputs:
                self.steps[made] = step

    def _keep(self, tensor: Tensor) -> None:
        value = self.value(tensor)
        if value is not None:
            with torch.utils._python_dispatch._disable_current_modes():
                self._older[value] = tensor.clone()

    def _entering(self, path: str, elementary: bool) -> Callable[[nn.Module, Any], None]:
        def entered(module: nn.Module, arguments: Any) -> None:
            args, kwargs = arguments
            turn = self._turns.get(id(module), 0)
            self._turns[id(module)] = turn + 1
            self._clock += 1
            call = Call(path, module, turn, self._clock, self._open[-1] if self._open else None)
            call.entered = self._found(entering, args, kwargs)
            named = {str(place): item for place, item in enumerate(args)} | dict(kwargs)
            call.given = {name: value for name, item in named.items() if (value := self.value(item)) is not None}
            self.calls.append(call)
            self._open.append(call)
            self._inside = elementary

        return entered

    def _leaving(self, elementary: bool) -> Callable[[nn.Module, Any], None]:
        def left(module: nn.Module, output: Any) -> None:
            call = self._open.pop()
            if elementary:
                self._inside = False
                self._write("module", tuple(call.given.values()), (), _flat((output,)))
            self._clock += 1
            call.ended = self._clock
            call.left = self._found(leaving, output)
            call.returned = tuple(value for item in _flat((output,)) if (value := self.value(item)) is not None)
            call.form = "tensor" if isinstance(output, Tensor) else type(output).__name__

        return left

    def _beginning_to_attend(self, path: str) -> Callable[[nn.Module, Any], None]:
        def attends(module: nn.Module, query: Any) -> None:
            self._clock += 1
            self.attending.append(Attending(path, module, self.attends(module), self._clock))
            self._attending_with("query")(module, query)

        return attends

    def _attending_with(self, side: Side) -> Callable[[nn.Module, Any], None]:
        def given(module: nn.Module, tensor: Any) -> None:
            value = self.value(tensor)
            if value is not None:
                self.attending[-1].given[side] = value

        return given

    def _found(self, find: Callable[..., Tensor], *where: Any) -> Value | None:
        try:
            return self.value(find(*where))
        except HookError:
            return None


def _flat(items: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if isinstance(item, tuple | list):
            found += _flat(item)
        else:
            found.append(item)
    return found


@cache
def _written_by(func: Any) -> tuple[int, ...]:
    """The places of the arguments that an operation writes into."""
    declared = enumerate(func._schema.arguments)
    return tuple(place for place, item in declared if item.alias_info is not None and item.alias_info.is_write)
