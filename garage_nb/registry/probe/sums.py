"""How a block's output is put together from its input: sums, one for each norm that stands on the stream itself."""

from __future__ import annotations

from dataclasses import dataclass

from .flow import Flow, Term
from .kinds import is_norm
from .tape import Call, Value

ADDED, NORMED = 2, 1  # how a value reaches back to the block's input: by sums alone, or through norms too


@dataclass(frozen=True)
class Sum:
    """`target` = `stream` + the terms. `norm` is the norm that takes the target up, where one stands on the stream."""

    target: Value
    stream: Term
    terms: tuple[Term, ...]
    norm: Call | None = None


class Sums:
    """One block read backwards from what leaves it."""

    def __init__(self, flow: Flow, block: Call) -> None:
        self.flow, self.block = flow, block
        self._reach: dict[Value, int] = {}
        self._norms = {call.left: call for call in flow.inside(block) if is_norm(call.module) and call.left is not None}

    def read(self) -> list[Sum]:
        """Bottom to top; empty when the output is no sum that holds the input."""
        assert self.block.left is not None
        return self._from(self.block.left, None)

    def stream(self) -> set[Value]:
        """Every value seen that is the input with something added, and what left a norm on the stream."""
        added = {value for value, reach in self._reach.items() if reach == ADDED}
        hops = {part.norm.left for part in self.read() if part.norm is not None and part.norm.left is not None}
        return added | hops | {part.target for part in self.read()}

    def _from(self, value: Value, norm: Call | None) -> list[Sum]:
        hop = self._hop(value)
        if hop is not None:
            assert hop.entered is not None
            return self._from(hop.entered, hop)
        if not self._reaches(value):
            return []
        terms = self._terms(Term(1.0, value))
        streams = [term for term in terms if self._reaches(term.value)]
        others = tuple(term for term in terms if not self._reaches(term.value))
        if len(streams) != 1:
            return []
        below = [] if self._is_input(streams[0].value) else self._from(streams[0].value, None)
        return [*below, Sum(value, streams[0], others, norm)]

    def _terms(self, whole: Term) -> list[Term]:
        """Take apart whatever reaches the input by sums, as far as the input or a norm on the stream."""
        value = whole.value
        if self._is_input(value) or self._hop(value) is not None or not self._reaches(value):
            return [whole]
        before = self.flow.passed_on(value)
        if before is not None:
            return self._terms(Term(whole.times, before))
        scaled = self.flow.scaled(value)
        if scaled is not None:
            return self._terms(scaled.by(whole.times))
        parts = self.flow.summed(value)
        assert parts is not None, "a value that reaches the input is a view, a product, a sum or a norm"
        best = max(self._reaches(part.value) for part in parts)
        return [
            term
            for part in parts
            for term in (
                self._terms(part.by(whole.times)) if self._reaches(part.value) == best else [part.by(whole.times)]
            )
        ]

    def _reaches(self, value: Value) -> int:
        """ADDED, NORMED, or 0 when the value does not hold the block's input as a summand."""
        if value not in self._reach:
            self._reach[value] = 0
            self._reach[value] = self._look(value)
        return self._reach[value]

    def _look(self, value: Value) -> int:
        if self._is_input(value):
            return ADDED
        before = self.flow.passed_on(value)
        if before is not None:
            return self._reaches(before)
        norm = self._norms.get(value)
        if norm is not None and norm.entered is not None:
            return min(self._reaches(norm.entered), NORMED)
        scaled = self.flow.scaled(value)
        if scaled is not None:
            return self._reaches(scaled.value)
        return max((self._reaches(part.value) for part in self.flow.summed(value) or ()), default=0)

    def _hop(self, value: Value) -> Call | None:
        """The norm this value left, when what entered the norm reaches the input."""
        origin = self.flow.origin(value)
        norm = self._norms.get(value) or self._norms.get(origin)
        if norm is None or norm.entered is None or not self._reaches(norm.entered):
            return None
        return norm

    def _is_input(self, value: Value) -> bool:
        return self.block.entered is not None and value == self.block.entered
