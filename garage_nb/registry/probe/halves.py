"""The halves of a block: what it adds to the residual stream, where that can be read, and which module makes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, takewhile

from .flow import SAME, Flow, Term
from .kinds import is_norm
from .sums import Sum, Sums
from .tape import Call, Step, Value

_CROSS = re.compile(r"cross|enc(oder)?_?(dec(oder)?)?_?att", re.IGNORECASE)
_RECURRENT = re.compile(r"mamba|mixer|(^|[._ ])ssm|conv|recurrent|rwkv|delta|retention|lru", re.IGNORECASE)
_ATTENTION = re.compile(r"att", re.IGNORECASE)
_FORWARD = re.compile(r"mlp|ffn?|feed_?forward|moe|expert|(^|[._ ])fc|intermediate|dense", re.IGNORECASE)
SOFTMAX = {"_softmax", "_safe_softmax"}
_PRODUCTS = {"bmm", "baddbmm", "matmul"}


@dataclass(frozen=True)
class Half:
    """`times` · `value` joins the stream; the value leaves `site`. `module` is the half as a module of its own.

    `site` is None when nothing the model calls returns that value: it can then be neither read nor edited exactly.
    `of` is the place of the sum it belongs to among the block's.
    """

    of: int
    kind: str
    times: float
    value: Value
    site: Call | None
    module: Call | None
    upstream: dict[Value, Step]

    @property
    def ready(self) -> int:
        return max((step.at for step in self.upstream.values()), default=0)


class Block:
    """One call of one block, taken apart."""

    def __init__(self, flow: Flow, call: Call) -> None:
        self.flow, self.call = flow, call
        self._reader = Sums(flow, call)
        self.sums: list[Sum] = self._reader.read() if call.entered is not None and call.left is not None else []

    @cached_property
    def stream(self) -> set[Value]:
        """Every value that is the residual stream at some point of the block."""
        return self._reader.stream() | {self.call.entered, self.call.left} - {None}  # type: ignore[operator]

    @cached_property
    def halves(self) -> list[Half]:
        """In the order their results are ready. What depends on weights alone, a bias, is none."""
        moving = [half for half in self._summands if self._moves(half)]
        return sorted(moving or self._unsummed(), key=lambda half: half.ready)

    @cached_property
    def biased(self) -> set[int]:
        """The places of those sums that hold a bias of their own."""
        return {half.of for half in self._summands if not self._moves(half)}

    @cached_property
    def _summands(self) -> list[Half]:
        return [half for of, part in enumerate(self.sums) for term in part.terms for half in self._resolved(of, term)]

    def _moves(self, half: Half) -> bool:
        """Whether it depends on the stream, and not on weights alone."""
        return any(part in self.stream for step in half.upstream.values() for part in step.inputs)

    def _unsummed(self) -> list[Half]:
        """Where nothing could be added up: the modules in the block that are plainly attention or feed-forward."""
        found = []
        for call in self.inside:
            if call.parent is self.call and call.left is not None and not is_norm(call.module):
                upstream = self.flow.leading_to(call.left, self.stream, call.began)
                if any(step.op not in SAME for step in upstream.values()):
                    found.append(Half(0, self._kind(upstream, call), 1.0, call.left, None, call, upstream))
        return found

    @property
    def is_parallel(self) -> bool:
        """Whether no half sees what an earlier one added."""
        pairs = list(pairwise(self.halves))
        seen = (self.flow.leading_to(later.value, (), self.call.began) for _, later in pairs)
        return bool(pairs) and not any(
            earlier.value in before for (earlier, _), before in zip(pairs, seen, strict=True)
        )

    @cached_property
    def inside(self) -> list[Call]:
        return list(self.flow.inside(self.call))

    def is_fresh(self, value: Value | None) -> bool:
        """Whether a value is the stream, or the stream after a norm: what a half starts from."""
        if value is None:
            return False
        if self.is_stream(value):
            return True
        norm = self._norm_left.get(self.flow.origin(value))
        return norm is not None and self.is_fresh(norm.entered)

    def is_stream(self, value: Value | None) -> bool:
        return value is not None and (value in self.stream or self.flow.origin(value) in self.stream)

    def above(self, call: Call) -> Iterator[Call]:
        """The call itself and those around it, up to the block."""
        here: Call | None = call
        while here is not None and here is not self.call:
            yield here
            here = here.parent

    @cached_property
    def _norm_left(self) -> dict[Value, Call]:
        return {call.left: call for call in self.inside if call.left is not None and is_norm(call.module)}

    def _resolved(self, of: int, term: Term) -> Iterator[Half]:
        value, times = term.value, term.times
        site = self.flow.giver(value, self.call)
        while site is None:
            scaled, before = self.flow.scaled(value), self.flow.passed_on(value)
            if scaled is not None:
                times, value = times * scaled.times, scaled.value
            elif before is not None:
                value = before
            else:
                break
            site = self.flow.giver(value, self.call)
        parts = self.flow.summed(value) if site is None else None
        if parts is not None:
            for part in parts:
                yield from self._resolved(of, part.by(times))
            return
        yield self._half(of, Term(times, value), site)

    def _half(self, of: int, term: Term, site: Call | None) -> Half:
        upstream = self.flow.leading_to(term.value, self.stream, self.call.began)
        module = self._own_module(site) if site is not None else None
        kind = self._kind(upstream, module or site)
        return Half(of, kind, term.times, term.value, site, module, upstream)

    def _own_module(self, site: Call) -> Call | None:
        """The outermost call around `site` that starts from the stream; behind a norm, the call that feeds the norm."""
        whole = [call for call in self.above(site) if self.is_fresh(call.entered)]
        if whole:
            return whole[0] if not is_norm(whole[0].module) else None
        if site.entered is None or not is_norm(site.module):
            return None
        feeding = self.flow.giver(site.entered, self.call) or self.flow.giver(self.flow.origin(site.entered), self.call)
        return self._own_module(feeding) if feeding is not None else None

    def _kind(self, upstream: dict[Value, Step], owner: Call | None) -> str:
        path = owner.path.removeprefix(self.call.path) if owner is not None else ""
        kind = _own_word(owner, self.call) if owner is not None else ""
        ops = {step.op for step in upstream.values()}
        forward = _FORWARD.search(kind) or (_FORWARD.search(path) and not _ATTENTION.search(kind))
        attends = any(op.startswith("_scaled_dot_product") for op in ops) or (
            not forward and bool(ops & SOFTMAX) and self._mixes(upstream)
        )
        if attends:
            return "cross_attention" if _CROSS.search(path) else "attention"
        if any("fft" in op for op in ops):
            return "mixer"
        if forward:
            return "ffn"
        return "mixer" if _RECURRENT.search(f"{path} {kind}") or _ATTENTION.search(f"{path} {kind}") else "ffn"

    def _mixes(self, upstream: dict[Value, Step]) -> bool:
        """Whether two activations are multiplied as matrices: tokens look at each other."""
        given = {value for value in self.call.given.values() if self.flow.tape.tensor(value).is_floating_point()}
        active = set(self.stream | given)  # an encoder's hidden states come as an argument
        for value, step in sorted(upstream.items(), key=lambda item: item[1].at):
            moving = [part for part in step.inputs if part in active]
            if moving:
                active.add(value)
            if step.op in _PRODUCTS and len(moving) >= 2:
                return True
        return False


def _own_word(call: Call, block: Call) -> str:
    """The class name without the family's: "Mlp" of RecurrentGemmaMlp in a RecurrentGemmaDecoderLayer."""
    name, around = type(call.module).__name__, type(block.module).__name__
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(name, around, strict=False)))
    return name[common:]
