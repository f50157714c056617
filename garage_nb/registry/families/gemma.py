"""Gemma 1 is built like Llama; Gemma 2 and 3 normalise each half again before it joins the residual stream."""

from dataclasses import replace

from .llama import LLAMA

GEMMA = LLAMA
GEMMA_SANDWICH = replace(
    LLAMA,
    norms={
        "attention": "input_layernorm",
        "attention_post": "post_attention_layernorm",
        "ffn": "pre_feedforward_layernorm",
        "ffn_post": "post_feedforward_layernorm",
    },
    attention_contribution="post_attention_layernorm",
    ffn_contribution="post_feedforward_layernorm",
)
