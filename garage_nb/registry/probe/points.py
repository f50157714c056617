"""Points inside a block: the stream before it and between its halves, the queries, keys and values of its attention.

What is found here is filed under `points`: the fields of a site, or the reason why there is none.
"""

from __future__ import annotations

from typing import Any

import torch

from ...core.parts import ENCODER, POINTS
from .flow import Flow, Term
from .halves import Block, Half
from .proofs import off_by, tolerated
from .tape import Attending, Call, Value

Point = dict[str, Any] | str
Points = dict[str, Point]

_SIDES = {"q": "query", "k": "key", "v": "value", "pattern": "pattern"}


def points_of_block(flow: Flow, block: Block) -> Points:
    """`before` is what enters the block, `mid` what its last half starts from."""
    return {"before": {"path": block.call.path, "side": "input", **_turn(flow, block.call)}, "mid": _mid(flow, block)}


def points_of_attention(flow: Flow, block: Block, half: Half) -> Points:
    """All of them or none: what transformers' attention function is given, and the pattern it makes."""
    found = _attending(flow, block, half)
    if isinstance(found, str):
        return dict.fromkeys(POINTS["attention"], found)
    turn = {"turn": found.turn} if flow.tape.attends(found.module) > 1 else {}
    points: Points = {name: {"path": found.path, "side": side, **turn} for name, side in _SIDES.items()}
    if half.kind == "cross_attention":  # its keys and values are of the encoder's tokens
        points |= {name: {"path": found.path, "side": _SIDES[name], **turn, "stack": ENCODER} for name in ("k", "v")}
    return points


def points_of_gate(flow: Flow, router: Call) -> Points:
    """`choices` are the experts chosen, (tokens, k), where the router returns them beside its logits."""
    returned = [flow.tape.tensor(value) for value in router.returned]
    if any(tensor.ndim == 2 and not tensor.is_floating_point() for tensor in returned):
        return {"choices": {"path": router.path, "side": "chosen", **_turn(flow, router)}}
    return {"choices": "its router returns no choice; the block makes it"}


def _attending(flow: Flow, block: Block, half: Half) -> Attending | str:
    within = [one for one in flow.tape.attending if block.call.holds(one.at)]
    mine = [one for one in within if one.given.get("query") in half.upstream]
    if not mine:
        return "its attention does not go through transformers' attention interface"
    if len(mine) > 1:
        return f"it attends {len(mine)} times"
    shapes = [tuple(flow.tape.tensor(value).shape) for value in mine[0].given.values()]
    assert block.call.entered is not None
    tokens = flow.tape.tensor(block.call.entered).shape[:-1]
    if any(len(shape) != 4 for shape in shapes) or shapes[0][0] not in tokens or shapes[0][2] not in tokens:
        return f"its queries are {shapes[0]}, which is not (batch, heads, seq, head_dim)"
    return mine[0]


def _mid(flow: Flow, block: Block) -> Point:
    reason = _why_no_mid(block)
    if reason:
        return reason
    taking = [call for call in block.inside if call.entered is not None and _is_mid(flow, block, call.entered)]
    past = next((call for call in taking if _goes_past(flow, block, call)), None)
    if past is None:
        return "nothing in the block takes up the stream between its halves as it is"
    return {"path": past.path, "side": "stream", **_turn(flow, past)}


def _why_no_mid(block: Block) -> str:
    if not block.sums:
        return "what leaves the block is no sum that holds what entered it"
    if len(block.sums) > 1 or block.sums[0].norm is not None:
        return "norms stand on the stream itself, and what leaves them is the stream from there on"
    if len(block.halves) < 2:
        return "the block has one half"
    return "its halves stand side by side" if block.is_parallel else ""


def _is_mid(flow: Flow, block: Block, value: Value) -> bool:
    """Whether the halves but the last have been added to it, and the last one has not."""
    assert block.call.entered is not None
    assert block.call.left is not None
    if value == block.call.entered or value not in block.stream:
        return False
    *earlier, last = (Term(half.times, half.value) for half in block.halves)
    errors = [
        off_by(flow, value, [Term(1.0, block.call.entered), *earlier]),
        off_by(flow, block.call.left, [Term(1.0, value), last]),
    ]
    return max(errors) <= tolerated(flow, block.call.left)


def _goes_past(flow: Flow, block: Block, call: Call) -> bool:
    """Whether the very tensor that enters the call is what the last half is added to."""
    assert call.entered is not None
    assert block.call.left is not None
    mid = flow.tape.tensor(call.entered)
    waiting = [block.call.left]
    while waiting:
        value = waiting.pop()
        here = flow.tape.tensor(value)
        if here.numel() == mid.numel() and torch.equal(here.reshape(mid.shape), mid):
            return here.untyped_storage().data_ptr() == mid.untyped_storage().data_ptr()
        step = flow.tape.steps.get(value)
        waiting += [part for part in step.inputs if part in block.stream] if step is not None else []
    return False


def _turn(flow: Flow, call: Call) -> dict[str, int]:
    return {"turn": call.turn} if flow.tape.runs(call.module) > 1 else {}
