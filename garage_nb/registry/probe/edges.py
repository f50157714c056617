"""Below the first block of a stack and above its last: embeddings, rotary, the final norm, the head."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from torch import nn

from ...core.vocabulary import input_embedding
from .flow import Flow
from .kinds import is_linear, is_norm
from .stacks import Stack
from .tape import Call

_POSITION = re.compile(r"pos|wpe", re.IGNORECASE)
_ROTARY = re.compile(r"rotary|rope", re.IGNORECASE)


@dataclass(frozen=True)
class Edges:
    """Calls, None where the model makes none. `norms` holds those between embedding and first block."""

    embedding: Call | None
    position: Call | None
    rotary: Call | None
    norms: tuple[Call, ...]
    final_norm: Call | None
    head: Call | None


def edges(model: Any, flow: Flow, stack: Stack, since: int = 0) -> Edges:
    """`since` is the moment when the encoder had ended, for the decoder above it."""
    first, last = stack.calls[0], stack.calls[-1]
    below = [call for call in flow.tape.calls if call.began < first.began and call.left is not None]
    assert first.entered is not None
    leading = flow.leading_to(first.entered, (), 0)
    entering = [call for call in below if call.left in leading]
    looked_up = [call for call in entering if not any(call.module.children())]
    table = input_embedding(model)
    of_table = [call for call in entering if _looks_up(call.module, table)]
    if since:
        others = [call for call in looked_up if _is_other_table(call)]
    else:
        others = [call for call in below if _looks_up(call.module, table)]  # looked up on a way that cannot be traced
    return Edges(
        embedding=next(iter([*of_table, *others]), None),
        position=next((call for call in looked_up if not _looks_up(call.module, table) and _is_position(call)), None),
        rotary=next((call for call in flow.tape.calls if since < call.began < last.ended and _is_rotary(call)), None),
        norms=tuple(call for call in looked_up if is_norm(call.module)),
        final_norm=_final_norm(flow, last),
        head=_head_call(model, flow, last),
    )


def _is_other_table(call: Call) -> bool:
    """Of tokens too, as FSMT's decoder has for its own language. Types and positions are looked up after them."""
    return isinstance(call.module, nn.Embedding) and not _is_position(call)


def _looks_up(module: nn.Module, table: nn.Module) -> bool:
    """The table itself, or another module with the same weights, as encoders and decoders have."""
    weight = getattr(table, "weight", None)
    return module is table or (weight is not None and getattr(module, "weight", None) is weight)


def _is_position(call: Call) -> bool:
    return bool(_POSITION.search(call.name) or _POSITION.search(type(call.module).__name__))


def _is_rotary(call: Call) -> bool:
    return bool(_ROTARY.search(type(call.module).__name__))


def _final_norm(flow: Flow, last: Call) -> Call | None:
    """The norm that the last block's output enters."""
    assert last.left is not None
    for call in flow.tape.calls:
        after = call.began > last.ended and call.entered is not None and is_norm(call.module)
        if after and flow.origin(call.entered) == flow.origin(last.left):  # type: ignore[arg-type]
            return call
    return None


def _head_call(model: Any, flow: Flow, last: Call) -> Call | None:
    """The call of what transformers names; in a module of one's own the last linear map after the blocks."""
    after = [call for call in flow.tape.calls if call.began > last.ended]
    if hasattr(model, "get_output_embeddings"):
        head = model.get_output_embeddings()
        return next((call for call in after if call.module is head), None)
    return next((call for call in reversed(after) if is_linear(call.module)), None)
