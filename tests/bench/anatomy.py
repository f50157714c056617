"""Where the benchmark's two families keep their blocks: what a careful user knows of a model by heart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def blocks(model: Any) -> Any:
    return model.base_model.h if model.config.model_type == "gpt2" else model.base_model.layers


def attention_name(model: Any) -> str:
    return "attn" if model.config.model_type == "gpt2" else "self_attn"


def embedded(model: Any) -> str:
    """Path of the module whose output enters the first block."""
    return "transformer.drop" if model.config.model_type == "gpt2" else "model.embed_tokens"


def paths(model: Any, *, inside: Any) -> list[str]:
    """Module paths of the blocks, as seen from the model or from its body."""
    wanted = list(blocks(model))
    return [path for path, module in inside.named_modules() if any(module is block for block in wanted)]


@contextmanager
def eager(model: Any) -> Iterator[None]:
    """The attention implementation that computes patterns at all; what was in force comes back after."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)
