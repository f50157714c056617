"""Phi 1 and 2 run both halves side by side from one norm; Phi 3 is built like Llama with fused projections."""

from dataclasses import replace

from .llama import LLAMA

PHI = replace(
    LLAMA,
    final_norm="final_layernorm",
    attention_projection="self_attn.dense",
    ffn_projection="mlp.fc2",
    norms={"attention": "input_layernorm"},
)
PHI3 = LLAMA
