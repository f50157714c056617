"""The norms of a block and what each is for."""

from __future__ import annotations

from dataclasses import dataclass

from .flow import Flow
from .halves import Block, Half
from .kinds import is_norm
from .tape import Call


@dataclass(frozen=True)
class Norm:
    """`place`: "pre" a half, "post" (on what a half adds), "stream" (on the residual stream itself), or "inside"."""

    role: str
    place: str
    call: Call


def norms_of(flow: Flow, block: Block) -> list[Norm]:
    """In the order they run; roles are unlike within a block."""
    found: list[Norm] = []
    for call in block.inside:
        if call.left is not None and is_norm(call.module):
            norm = _norm(flow, block, call)
            taken = {known.role for known in found}
            role = norm.role if norm.role not in taken else f"{norm.role}_{call.role}"
            if role not in taken:
                found.append(Norm(role, norm.place, call))
    return found


def _norm(flow: Flow, block: Block, call: Call) -> Norm:
    for half in block.halves:
        if half.site is call:
            return Norm(f"{half.kind}_post", "post", call)
    on_stream = any(part.norm is call for part in block.sums)
    summed = _last_half_before(block, call) if on_stream else None
    if summed is not None:
        return Norm(f"{summed.kind}_post", "stream", call)
    if on_stream or block.is_stream(call.entered):
        served = next((half for half in block.halves if on_stream or call.left in half.upstream), None)
        if served is not None:
            return Norm(served.kind, "stream" if on_stream else "pre", call)
    feeding = next((half for half in block.halves if _feeds(call, half)), None)
    if feeding is not None:
        return Norm(feeding.kind, "pre", call)
    return Norm(call.role, "inside", call)


def _feeds(call: Call, half: Half) -> bool:
    """Whether the half starts from what leaves the norm, though the stream could not be followed to it."""
    return half.module is not None and half.module.entered == call.left


def _last_half_before(block: Block, call: Call) -> Half | None:
    of = next((of for of, part in enumerate(block.sums) if part.norm is call), None)
    summed = [half for half in block.halves if half.of == of]
    return summed[-1] if summed else None
