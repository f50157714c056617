"""Room: how many numbers stand at a place, from what the catalogue knows, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.batch import Batch
from ..core.parts import ENCODER, Part, parse
from .part_spec import PartSpec
from .specs import ModelSpec

_OF_ANOTHER_WIDTH = {"q", "k", "v", "pattern", "choices"}


def width_of(address: Part, part: PartSpec) -> int | None:
    """Of the hidden states at a part or what is inside it; None for what is no hidden state."""
    if address.unit == "neuron":
        return 1
    if address.unit == "neurons":
        return part.intermediate_dim
    if address.unit == "head":
        return part.head_dim
    if address.unit == "heads":
        return None if part.num_heads is None or part.head_dim is None else part.num_heads * part.head_dim
    return None if address.unit in _OF_ANOTHER_WIDTH else part.output_dim


def numbers_a_token(spec: ModelSpec, name: str, keys: int = 0) -> int:
    """At a place, rather too many than too few; of an attention pattern one for each of `keys` and head.

    Of q, k and v, and of modules that are no parts, whose widths nobody wrote down, as many as the residual stream is
    wide.
    """
    address = parse(spec.name(name))
    if address is None:
        return spec.hidden_dim
    part = spec.parts[str(address.whole)]
    if address.unit == "pattern":
        return keys * (part.num_heads or spec.num_heads)
    heads = spec.num_heads if part.extra_info.get("place") == "inside" else 1  # a norm of each head
    return heads * (width_of(address, part) or spec.hidden_dim)


def bytes_of(spec: ModelSpec, names: Iterable[str], batch: Batch, size: int) -> int:
    """All that these places hold for a batch, padding too, `size` bytes a number."""
    return size * sum(_numbers(spec, name, batch) for name in names)


def _numbers(spec: ModelSpec, name: str, batch: Batch) -> int:
    address = parse(spec.name(name))
    prompt, written = batch.input_ids, batch.decoder_input_ids
    own = prompt if written is None or (address is not None and address.stack == ENCODER) else written
    if address is None or address.kind != "cross_attention":
        return own.numel() * numbers_a_token(spec, name, own.shape[1])
    tokens = prompt if address.unit in ("k", "v") else own
    return tokens.numel() * numbers_a_token(spec, name, prompt.shape[1])
