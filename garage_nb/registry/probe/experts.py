"""Inside a feed-forward half that has experts: the router, the experts, and how many of them answer for a token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from torch import nn

from .flow import Flow, Term
from .halves import Block, Half
from .stacks import recorded
from .tape import Call

_ROUTER = re.compile(r"(^|\.)(gate|router)$|router|gating|topk", re.IGNORECASE)


@dataclass(frozen=True)
class Experts:
    """`together` is the module whose output is the sum over experts, where there is one; `count` how many they are.

    `times` that output is added to the stream.
    """

    router: Call | None
    together: Call | None
    count: int | None
    per_token: int | None
    reason: str = ""
    times: float = 1.0


def experts_of(model: Any, flow: Flow, block: Block, half: Half) -> Experts | None:
    """None for a half without experts."""
    owner = half.module or half.site
    if owner is None:
        return None
    inside = [call for call in block.inside if owner.holds(call.began)]
    together = next((call for call in inside if _fused(call.module)), None)
    count = _fused(together.module) if together is not None else _listed(owner.module)
    if count is None:
        return None
    router = _router(model, flow, inside, count, together)
    if together is None:
        return Experts(router, None, count, None, "every expert is a module of its own")
    chosen = [flow.tape.tensor(value) for value in together.given.values()]
    picks = [tensor for tensor in chosen if not tensor.is_floating_point() and tensor.ndim == 2]
    if not picks:
        return Experts(router, together, count, None, "the experts are not told which tokens are theirs")
    return Experts(router, together, count, picks[0].shape[-1], times=_times(flow, half, together))


def _fused(module: nn.Module) -> int | None:
    """How many experts share the weights of one module: the first dimension of its 3-D weights, two of them or more."""
    sizes = [parameter.shape[0] for parameter in module.parameters(recurse=False) if parameter.ndim == 3]
    return sizes[0] if len(sizes) >= 2 and len(set(sizes)) == 1 else None


def _listed(module: nn.Module) -> int | None:
    lists = [child for name, child in module.named_modules() if isinstance(child, nn.ModuleList) and "expert" in name]
    return len(lists[0]) if lists and len(lists[0]) > 1 else None


def _times(flow: Flow, half: Half, together: Call) -> float:
    """1 where it goes through more than sums and factors, a norm: the share is then what it is before that."""
    waiting = [Term(half.times, half.value)]
    while waiting:
        times, value = waiting.pop()
        if value == together.left:
            return times
        scaled, before = flow.scaled(value), flow.passed_on(value)
        parts = [Term(1.0, before)] if before is not None else [scaled] if scaled is not None else flow.summed(value)
        waiting += [part.by(times) for part in parts or ()]
    return 1.0


def _router(model: Any, flow: Flow, inside: list[Call], count: int, together: Call | None) -> Call | None:
    known = recorded(model, "router_logits")
    for call in inside:
        if call.left is None or (together is not None and call.began >= together.began):
            continue
        named = _ROUTER.search(call.name) or _ROUTER.search(type(call.module).__name__)
        if isinstance(call.module, known) or (named and flow.tape.tensor(call.left).shape[-1] == count):
            return call
    return None
