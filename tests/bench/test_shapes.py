"""The twin a tool may take apart: modules of its own, the very same weights, the same answers."""

from __future__ import annotations

from typing import Any

import torch
import transformers

from tests.bench.shapes import twin


def test_a_twin_shares_the_weights_and_nothing_else() -> None:
    config = transformers.GPT2Config(n_layer=2, n_embd=16, n_head=2, vocab_size=100)
    model: Any = transformers.GPT2LMHeadModel(config)
    model.eval()
    ids = torch.arange(10)[None]

    other = twin(model)
    before = model(ids).logits
    other.transformer.h[0].register_forward_hook(lambda module, args, output: output * 0)
    other.set_attn_implementation("eager")

    assert all(a is b for a, b in zip(model.parameters(), other.parameters(), strict=True))
    assert torch.equal(model(ids).logits, before)
    assert not torch.equal(other(ids).logits, before)
    assert model.config._attn_implementation == "sdpa"
