"""Inside an attention half: how many heads, which projection they enter, and where queries, keys and values are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...core.family import text_config
from .flow import SAME, Flow
from .halves import SOFTMAX, Block, Half
from .kinds import is_linear
from .projection import last_projection
from .tape import Call, Step, Value

_KERNELS = "_scaled_dot_product"
_COUNTS = (
    "num_attention_heads", "encoder_attention_heads", "decoder_attention_heads", "num_heads", "n_heads", "n_head"
)  # fmt: skip
_REGROUPS = {"cat", "stack", "split", "split_with_sizes", "unbind", "select", "index"}
_MOVES = {"transpose", "permute", "t"}
_PRODUCTS = {"bmm", "baddbmm", "matmul", "mm"}


@dataclass(frozen=True)
class Heads:
    """`dim` is the width of one head where it enters `projection`."""

    count: int
    dim: int
    projection: Call
    layout: Layout | None


@dataclass(frozen=True)
class Layout:
    """Where queries, keys and values come from.

    ======= ===========================================================================================
    split   three projections, in `calls`
    thirds  one projection: all queries, then all keys, then all values
    grouped one projection: for each key-value head its queries, its key, its value
    latent  projected several times over, as in DeepSeek
    other   one projection in an order not known
    ======= ===========================================================================================
    """

    kind: str
    kv_count: int | None
    calls: tuple[Call, ...]


def heads_of(model: Any, flow: Flow, block: Block, half: Half) -> Heads | str:
    """The heads of an attention half, or the reason why they cannot be told apart."""
    mixed = _mixed(flow, half)
    if mixed is None:
        return "no attention weights were seen"
    count, output = mixed
    projection = last_projection(flow, block, half)
    if projection is None or projection.entered is None:
        return "no output projection was found"
    width = flow.tape.tensor(projection.entered).shape[-1]
    known = _known_counts(model, half)
    if known and count not in known:
        return f"{count} heads were seen where the model says {' or '.join(map(str, sorted(known)))}"
    if width % count:
        return f"{width} columns enter {projection.name}, which {count} heads do not divide"
    if output is not None and not _lie_side_by_side(flow, block, output, projection.entered):
        return f"what enters {projection.name} is not the heads side by side"
    return Heads(count, width // count, projection, _layout(flow, half, block, count))


def _mixed(flow: Flow, half: Half) -> tuple[int, Value | None] | None:
    """The number of heads, and what the attention kernel gave, (batch, heads, seq, dim), where one was used."""
    for value, step in half.upstream.items():
        tensor = flow.tape.tensor(value)
        if step.op.startswith(_KERNELS) and tensor.ndim == 4:
            return tensor.shape[1], value
    for value, step in half.upstream.items():
        tensor = flow.tape.tensor(value)
        if step.op in SOFTMAX and tensor.ndim >= 3:
            return (tensor.shape[0] if tensor.ndim == 3 else tensor.shape[1]), None
    return None


def _known_counts(model: Any, half: Half) -> set[int]:
    """How many heads the config and the module itself speak of."""
    owners = [text_config(model), getattr(model, "config", None), half.module.module if half.module else None]
    found = (getattr(owner, name, None) for owner in owners for name in _COUNTS)
    return {count for count in found if isinstance(count, int)}


def _lie_side_by_side(flow: Flow, block: Block, output: Value, entered: Value) -> bool:
    """Whether the columns are the kernel's heads in order: compared, where entries were only moved in between.

    A gate or a norm in between keeps the order; another linear map, or joining what was split, does not.
    """
    given, taken = flow.tape.tensor(output), flow.tape.tensor(entered)
    between = flow.leading_to(entered, (output,), flow.tape.steps[output].at)
    mapped = {call.left for call in block.inside if is_linear(call.module)}
    after = _after(output, between) - {output}
    if given.numel() != taken.numel() or mapped & after or any(between[value].op in _REGROUPS for value in after):
        return False
    merged = given.transpose(1, 2).reshape(taken.shape)
    return not {step.op for step in between.values()} <= SAME | _MOVES or torch.equal(merged, taken)


def _after(first: Value, steps: dict[Value, Step]) -> set[Value]:
    """The values among `steps` that depend on the first."""
    found = {first}
    for value, step in sorted(steps.items(), key=lambda item: item[1].at):
        if found.intersection(step.inputs):
            found.add(value)
    return found


def _layout(flow: Flow, half: Half, block: Block, count: int) -> Layout | None:
    """None where attention is not computed by a kernel or by two products around a softmax."""
    found = _from_kernel(half) or _from_products(flow, half)
    if found is None:
        return None
    sources = [_source(flow, block, value) for value in found]
    values = _by_head(flow.tape.tensor(found[2]), count)
    if any(source is None for source in sources) or values is None:
        return None
    calls = tuple(call for call in sources if call is not None)
    if len({id(call) for call in calls}) == 3:
        return Layout("split", _distinct(values).shape[1], calls)
    if len({id(call) for call in calls}) == 1:
        return Layout(_fused(flow, calls[2], values), _distinct(values).shape[1], calls[:1])
    return Layout("latent", None, calls)


def _from_kernel(half: Half) -> tuple[Value, Value, Value] | None:
    for step in half.upstream.values():
        if step.op.startswith(_KERNELS) and len(step.inputs) >= 3:
            return step.inputs[0], step.inputs[1], step.inputs[2]
    return None


def _from_products(flow: Flow, half: Half) -> tuple[Value, Value, Value] | None:
    """Queries and keys are multiplied to what the softmax takes, values with what it gives."""
    for value, step in half.upstream.items():
        if step.op in SOFTMAX:
            scores = flow.depends(step.inputs[0], lambda here: _op(flow, here) in _PRODUCTS)
            after = [later for later in half.upstream.values() if later.op in _PRODUCTS and later.at > step.at]
            taken = [later for later in after if _comes_from(flow, later.inputs[-2], value)]
            if scores is not None and taken:
                product = flow.tape.steps[scores]
                return product.inputs[-2], product.inputs[-1], min(taken, key=lambda later: later.at).inputs[-1]
    return None


def _comes_from(flow: Flow, value: Value, softmax: Value) -> bool:
    """By views, copies, a cut-off column of sinks: without another product in between."""
    found = flow.depends(value, lambda here: here == softmax or _op(flow, here) in _PRODUCTS)
    return found == softmax


def _op(flow: Flow, value: Value) -> str:
    step = flow.tape.steps.get(value)
    return "" if step is None else step.op


def _by_head(values: Tensor, count: int) -> Tensor | None:
    """(batch, heads, seq, dim), whatever was folded for the product."""
    if values.ndim == 4:
        return values
    return values.unflatten(0, (-1, count)) if values.ndim == 3 and values.shape[0] % count == 0 else None


def _source(flow: Flow, block: Block, value: Value) -> Call | None:
    """The linear call that a query, key or value comes from."""
    linear = {call.left: call for call in block.inside if call.left is not None and is_linear(call.module)}
    found = flow.depends(value, lambda here: here in linear or here in block.stream)
    return linear.get(found) if found is not None else None


def _fused(flow: Flow, call: Call, values: Tensor) -> str:
    """Found by laying the output out both ways and looking where the values are."""
    assert call.left is not None
    own = _distinct(values).transpose(1, 2)  # (batch, seq, kv heads, dim)
    batch, seq, kv, dim = own.shape
    fused = flow.tape.tensor(call.left)
    if fused.numel() % (batch * seq):
        return "other"
    columns = fused.reshape(batch, seq, -1)
    width = columns.shape[-1]
    if torch.equal(columns[..., width - kv * dim :].unflatten(-1, (kv, dim)), own):
        return "thirds"
    if width % (kv * dim) == 0 and torch.equal(columns.unflatten(-1, (kv, -1, dim))[..., -1, :], own):
        return "grouped"
    return "other"


def _distinct(values: Tensor) -> Tensor:
    """Values before they were repeated for heads that share them: equal neighbours once."""
    heads = values.shape[1]
    for count in range(1, heads):
        if heads % count == 0:
            shared = values.unflatten(1, (count, heads // count))
            if torch.equal(shared, shared[:, :, :1].expand_as(shared)):
                return shared[:, :, 0]
    return values
