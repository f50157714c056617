"""The last projection of a half: what enters it are the heads, or the neurons."""

from __future__ import annotations

from .flow import Flow
from .halves import Block, Half
from .kinds import is_linear, is_norm
from .tape import Call, Value


def last_projection(flow: Flow, block: Block, half: Half) -> Call | None:
    """The linear call whose result, but for views, plain factors, norms and a bias, is what the half gives."""
    value: Value | None = half.value
    while value is not None:
        call = flow.innermost(value, block.call)
        linear = (
            next((around for around in block.above(call) if is_linear(around.module) and around.left == value), None)
            if call
            else None
        )
        if linear is not None:
            return linear
        value = _before(flow, call, value)
    return None


def _before(flow: Flow, call: Call | None, value: Value) -> Value | None:
    if call is not None and is_norm(call.module):
        return call.entered
    scaled = flow.scaled(value)
    return scaled.value if scaled is not None else flow.passed_on(value)
