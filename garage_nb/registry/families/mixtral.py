"""Mixtral: Llama with a router and experts for ffn; their weights are fused, so no down projection can be read."""

from dataclasses import replace

from .llama import LLAMA

MIXTRAL = replace(LLAMA, ffn_projection=None, gate="mlp.gate")
