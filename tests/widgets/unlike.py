"""Models that are no plain decoder, by their entry in the mappings: `seq2seq-t5`."""

from __future__ import annotations

from functools import cache

from garage_nb.registry.models import spec_of
from garage_nb.registry.specs import ModelSpec

from ..coverage.zoo import build, entries

# Two stacks, cross attention, no attention, mixed halves, experts, idle blocks, several halves of a kind, halves n/a.
UNLIKE = [
    "seq2seq-t5", "seq2seq-bart", "causal-mamba", "causal-jamba", "causal-qwen3_moe", "causal-mllama",
    "causal-longcat_flash", "causal-gemma4_text", "causal-rwkv",
]  # fmt: skip


@cache
def opened(name: str) -> ModelSpec:
    """The spec of a tiny model of that entry, three layers a stack."""
    return spec_of(build(next(entry for entry in entries() if str(entry) == name)), "tiny")
