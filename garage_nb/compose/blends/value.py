"""Value: a number of a blend that may differ with depth and with the tensor.

It is said as `0.3`, as a gradient over depth `0..0.5..1`, or by pieces of tensor names, the first that fits counting:
`self_attn=0..1/mlp=1..0/0.5`. Several sources have one each, `0.5,0.3`, or one for all of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import BuildError, InputError

EVERY = "*"
_FILTER = re.compile(r"[\w.\-]+|\*", re.ASCII)
_HINT = "Say 0.3, a gradient 0..0.5..1, or by names: self_attn=0..1/mlp=1..0/0.5."


@dataclass(frozen=True)
class Value:
    """`cases`: a piece of a tensor's name, or `*`, and the numbers from the first layer to the last, evenly spread."""

    cases: tuple[tuple[str, tuple[float, ...]], ...]

    @classmethod
    def of(cls, said: Any) -> Value:
        """From a text, a number, a list of numbers, or a list of {filter, value}. InputError for what is none."""
        if isinstance(said, Value):
            return said
        if isinstance(said, str):
            return cls(tuple(map(_spoken, said.split("/"))))
        listed = [said] if isinstance(said, Mapping) else said
        if isinstance(listed, list | tuple) and listed and all(isinstance(item, Mapping) for item in listed):
            return cls(tuple(map(_written, listed)))
        return cls(((EVERY, _gradient(said)),))

    def at(self, tensor: str, depth: float) -> float:
        """The number for a tensor at a depth from 0 to 1. BuildError where no case fits its name."""
        for piece, numbers in self.cases:
            if piece == EVERY or piece in tensor:
                return _between(numbers, depth)
        raise BuildError(f"{str(self)!r} says nothing of {tensor}.", "End it with a number for all others: mlp=1/0.5.")

    def then(self, later: Value) -> Value:
        """This one, and where none of its cases fits, the other."""
        return Value(self.cases if self.is_closed else (*self.cases, *later.cases))

    @property
    def is_closed(self) -> bool:
        """Whether it has a number for any tensor at all."""
        return any(piece == EVERY for piece, _ in self.cases)

    @property
    def numbers(self) -> tuple[float, ...]:
        return tuple(number for _, numbers in self.cases for number in numbers)

    def to_json(self) -> Any:
        """A number, a list of them, or a list of {filter, value}: what `of` takes, and mergekit too."""
        if len(self.cases) == 1 and self.cases[0][0] == EVERY:
            return _plain(self.cases[0][1])
        return [{"filter": piece, "value": _plain(numbers)} for piece, numbers in self.cases]

    def __str__(self) -> str:
        return "/".join(
            ("" if piece == EVERY else f"{piece}=") + "..".join(map(word, numbers)) for piece, numbers in self.cases
        )


ONE = Value(((EVERY, (1.0,)),))
Values = tuple[Value, ...]  # one for each source, or one for all of them


def values(said: Any) -> Values:
    """One for each item of a list; a text has its items between commas. InputError as of `Value.of`."""
    if isinstance(said, str):
        return tuple(map(Value.of, said.split(",")))
    listed = isinstance(said, list | tuple) and not any(isinstance(item, Mapping) for item in said)
    return tuple(map(Value.of, said)) if listed and said else (Value.of(said),)


def word(number: float) -> str:
    """As short as comes back the same: `1`, `0.3`."""
    return repr(number).removesuffix(".0")


def _spoken(text: str) -> tuple[str, tuple[float, ...]]:
    piece, named, numbers = text.strip().rpartition("=")
    return _filter(piece.strip() if named else EVERY), _gradient(numbers.split(".."))


def _written(case: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    if "value" not in case or (unknown := sorted(map(str, case.keys() - {"filter", "value"}))):
        said = "no value" if "value" not in case else f"another {unknown[0][:40]!r}"
        raise InputError(f"A value by names has {said}.", "Give each a filter and a value, and nothing else.")
    piece = case.get("filter")
    return _filter(EVERY if piece is None else piece), _gradient(case["value"])


def _filter(piece: Any) -> str:
    if not isinstance(piece, str) or not _FILTER.fullmatch(piece):
        raise InputError(f"{str(piece)[:60]!r} is no piece of a tensor's name.", "Give one: self_attn, mlp, lm_head.")
    return piece


def _gradient(said: Any) -> tuple[float, ...]:
    items = said if isinstance(said, list | tuple) else [said]
    try:
        numbers = tuple(float(item) for item in items)
    except (TypeError, ValueError, OverflowError):
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise InputError(f"{str(said)[:60]!r} is no finite number, nor a list of them.", _HINT)
    return numbers


def _between(numbers: tuple[float, ...], depth: float) -> float:
    """On the straight line from the number before this depth to the one after it."""
    reached = depth * (len(numbers) - 1)
    before = int(reached)
    after, share = min(before + 1, len(numbers) - 1), reached - before
    return (1 - share) * numbers[before] + share * numbers[after]


def _plain(numbers: tuple[float, ...]) -> Any:
    return numbers[0] if len(numbers) == 1 else list(numbers)
