"""The check on every block: what entered, plus what the halves add, is what left."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..part_spec import Proof
from .flow import Flow, Term
from .halves import Block
from .tape import Value

ROUNDINGS = 64  # the error allowed, in units of the dtype's rounding at the largest value


def prove(flow: Flow, block: Block, layer: str) -> Proof:
    """One block. A reason stands where nothing could be added up, or where the sum came out otherwise."""
    if block.call.entered is None or block.call.left is None:
        return Proof(layer=layer, claim="", error=None, tolerance=None, reason="it passes no hidden states on")
    if not block.sums:
        reason = "what leaves the block is no sum that holds what entered it"
        return Proof(layer=layer, claim="", error=None, tolerance=None, reason=reason)
    error = max(off_by(flow, part.target, [part.stream, *part.terms]) for part in block.sums)
    tolerance = tolerated(flow, block.call.left)
    claim = "; ".join(_claim(block, of) for of in range(len(block.sums)))
    scaled = next((part.stream.times for part in block.sums if part.stream.times != 1), None)
    reason = "" if error <= tolerance else f"the sum is off by {error:.1e} of the largest value"
    if scaled is not None:
        reason = f"the stream itself is multiplied by {scaled:g}"
    return Proof(layer=layer, claim=claim, error=error, tolerance=tolerance, reason=reason)


def off_by(flow: Flow, target: Value, terms: Sequence[Term]) -> float:
    """Largest difference between a value and the terms added in float64, relative to the largest entry."""
    given = _wide(flow.tape.tensor(target))
    added = (term.times * _wide(flow.tape.tensor(term.value)).reshape(given.shape) for term in terms)
    total = sum(added, torch.zeros_like(given))
    largest = given.abs().max().clamp(min=torch.finfo(torch.float32).tiny)
    return float((total - given).abs().max() / largest)


def tolerated(flow: Flow, value: Value) -> float:
    return ROUNDINGS * torch.finfo(flow.tape.tensor(value).dtype).eps


def _claim(block: Block, of: int) -> str:
    halves = [half for half in block.halves if half.of == of]
    added = [f"{half.times:g} · {half.kind}" if half.times != 1 else half.kind for half in halves]
    bias = ["a bias"] if of in block.biased else []
    norm = block.sums[of].norm
    return f"{' + '.join(['before', *added, *bias])} = {'after' if norm is None else f'what enters {norm.name}'}"


def _wide(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.float64 if tensor.device.type != "mps" else torch.float32)
