"""What a model and its parts are in words and figures. A new kind of part needs one line in `WORDS`."""

from __future__ import annotations

from collections.abc import Callable

from ..core.parts import ENCODER, parse
from ..plain import count
from ..registry.part_spec import PartSpec, PartType
from ..registry.specs import ModelSpec


def about(spec: ModelSpec) -> str:
    """`3 encoder and 3 decoder layers, 4 heads, 32 wide`; no heads where nothing attends."""
    blocks = [parse(name) for name, part in spec.parts.items() if part.part_type is PartType.FULL_LAYER]
    encoder = sum(block is not None and block.stack == ENCODER for block in blocks)
    layers = count(spec.num_layers, "decoder layer" if encoder else "layer")
    heads = [count(spec.num_heads, "head")] if spec.num_heads else []
    return ", ".join([f"{encoder} encoder and {layers}" if encoder else layers, *heads, f"{spec.hidden_dim} wide"])


def figures(part: PartSpec) -> str:
    """The short form of a part's size; empty where it has none worth a look."""
    if part.part_type in (PartType.ATTENTION, PartType.CROSS_ATTENTION) and part.num_heads and part.head_dim:
        return f"{part.num_heads} × {part.head_dim}"
    return str(part.intermediate_dim or "") if part.part_type is PartType.FFN else ""


def words(name: str, part: PartSpec) -> str:
    told = f"{name}: {WORDS[part.part_type](part)}"
    return f"{told}; n/a: {part.unavailable}" if part.unavailable else told


def _attention(part: PartSpec) -> str:
    if not part.num_heads:
        return f"{part.output_dim} wide"
    size = f" of {part.head_dim}" if part.head_dim else ""
    shared = part.extra_info.get("num_kv_heads", part.num_heads)
    sharing = f" sharing {count(shared, 'key-value head')}" if shared != part.num_heads else ""
    return f"{count(part.num_heads, 'head')}{size}{sharing}, {part.output_dim} wide"


def _ffn(part: PartSpec) -> str:
    inside = f", {part.intermediate_dim} inside" if part.intermediate_dim else ""
    return f"{part.output_dim} wide{inside}"


def _norm(part: PartSpec) -> str:
    where = "outside the blocks" if part.layer_idx is None else f"in block {part.layer_idx}"
    return f"norm {where}, {part.output_dim} wide"


WORDS: dict[PartType, Callable[[PartSpec], str]] = {
    PartType.EMBEDDING: lambda part: f"{part.input_dim} tokens to {part.output_dim} wide",
    PartType.POSITION_EMBEDDING: lambda part: f"{part.input_dim} positions to {part.output_dim} wide",
    PartType.ROTARY_EMB: lambda part: f"turns queries and keys by position, heads of {part.output_dim}",
    PartType.ATTENTION: _attention,
    PartType.CROSS_ATTENTION: _attention,
    PartType.MIXER: lambda part: f"mixes tokens without attention, {part.output_dim} wide",
    PartType.LAYER_NORM: _norm,
    PartType.GATE: lambda part: f"chooses among {part.output_dim} experts",
    PartType.FFN: _ffn,
    PartType.FULL_LAYER: lambda part: f"residual stream leaving block {part.layer_idx}, {part.output_dim} wide",
    PartType.OUTPUT_HEAD: lambda part: f"{part.input_dim} wide to {part.output_dim} tokens",
}
