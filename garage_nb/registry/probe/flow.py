"""Where a value on the tape comes from: what it was summed from, which call gave it, what it depends on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from .tape import Call, Step, Tape, Value

SAME = {"view", "_unsafe_view", "clone", "detach", "alias", "_to_copy", "unsqueeze", "squeeze", "slice", "lift_fresh"}
SUMS = {"add": 1.0, "add_": 1.0, "sub": -1.0, "sub_": -1.0}
PRODUCTS = {"mul", "mul_", "div", "div_"}


class Term(NamedTuple):
    """`times` · the value."""

    times: float
    value: Value

    def by(self, factor: float) -> Term:
        return Term(self.times * factor, self.value)


class Flow:
    """Questions to one tape."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._leaving: dict[Value, list[Call]] = {}
        for call in tape.calls:
            if call.left is not None:
                self._leaving.setdefault(call.left, []).append(call)

    def passed_on(self, value: Value) -> Value | None:
        """The value this one is another view or copy of; None when it is new."""
        step = self.tape.steps.get(value)
        if step is None or step.op not in SAME or not step.inputs:
            return None
        first = step.inputs[0]
        return first if self._entries(first) == self._entries(value) else None

    def origin(self, value: Value) -> Value:
        """The first of the values that this one is a view or copy of."""
        while (before := self.passed_on(value)) is not None:
            value = before
        return value

    def summed(self, value: Value) -> list[Term] | None:
        """The two terms a value is the sum of; None when it is no sum of two tensors of its size."""
        step = self.tape.steps.get(value)
        if step is None or step.op not in SUMS or len(step.inputs) != 2:
            return None
        if any(self._entries(part) != self._entries(value) for part in step.inputs):
            return None
        alpha = step.numbers[0] if step.numbers else 1.0
        first, second = step.inputs
        return [Term(1.0, first), Term(SUMS[step.op] * alpha, second)]

    def scaled(self, value: Value) -> Term | None:
        """What a value is a plain number times of."""
        step = self.tape.steps.get(value)
        if step is None or step.op not in PRODUCTS or not step.inputs:
            return None
        if len(step.inputs) == 1 and len(step.numbers) == 1:
            factor = step.numbers[0]
        elif len(step.inputs) == 2 and self._is_number(step, step.inputs[1]):
            factor = float(self.tape.tensor(step.inputs[1]))
        elif len(step.inputs) == 2 and step.op == "mul" and self._is_number(step, step.inputs[0]):
            return Term(float(self.tape.tensor(step.inputs[0])), step.inputs[1])
        else:
            return None
        return Term(1 / factor if step.op.startswith("div") else factor, step.inputs[0])

    def giver(self, value: Value, within: Call) -> Call | None:
        """The outermost call inside `within` that made this value and returned it."""
        step = self.tape.steps.get(value)
        calls = [
            call
            for call in self._leaving.get(value, ())
            if within.holds(call.began) and (step is None or call.holds(step.at))
        ]
        return min(calls, key=lambda call: call.began, default=None)

    def innermost(self, value: Value, within: Call) -> Call | None:
        """The innermost such call."""
        step = self.tape.steps.get(value)
        calls = [
            call
            for call in self._leaving.get(value, ())
            if within.holds(call.began) and (step is None or call.holds(step.at))
        ]
        return max(calls, key=lambda call: call.began, default=None)

    def leading_to(self, value: Value, until: Collection[Value], since: int) -> dict[Value, Step]:
        """Every value made after the moment `since` that `value` depends on, not looking behind those of `until`."""
        found: dict[Value, Step] = {}
        waiting = [value]
        while waiting:
            here = waiting.pop()
            step = self.tape.steps.get(here)
            if here in found or here in until or step is None or step.at < since:
                continue
            found[here] = step
            waiting += step.inputs
        return found

    def depends(self, value: Value, on: Callable[[Value], bool]) -> Value | None:
        """The first value that fulfils `on`, going back from `value`."""
        seen: set[Value] = set()
        waiting = [value]
        while waiting:
            here = waiting.pop(0)
            if here in seen:
                continue
            if on(here):
                return here
            seen.add(here)
            step = self.tape.steps.get(here)
            waiting += step.inputs if step is not None else ()
        return None

    def inside(self, call: Call) -> Iterator[Call]:
        return (other for other in self.tape.calls if call.holds(other.began))

    def _entries(self, value: Value) -> int:
        return self.tape.tensor(value).numel()

    def _is_number(self, step: Step, value: Value) -> bool:
        """A constant of one entry: not a weight (which training moves), and made by nothing."""
        tensor = self.tape.tensor(value)
        return tensor.numel() == 1 and not tensor.requires_grad and value not in self.tape.steps
