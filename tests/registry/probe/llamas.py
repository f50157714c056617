"""Llama and those that keep its names, from their sources."""

from __future__ import annotations

from .rows import Family, Half, attention, feed, moe

LLAMA_ATTENTION = attention("self_attn", "o_proj", kv_heads=2)
LLAMA_FEED = feed("mlp", "down_proj")
LLAMA_NORMS = {"input_layernorm": "attention pre", "post_attention_layernorm": "ffn pre"}
LLAMA_EDGES = {
    "embedding": "model.embed_tokens",
    "rotary_emb": "model.rotary_emb",
    "layer_norm_final": "model.norm",
    "output_head": "lm_head",
}
QK_NORMS = {"self_attn.q_norm": "q_norm inside", "self_attn.k_norm": "k_norm inside"}
SANDWICH = {
    **LLAMA_NORMS,
    "post_attention_layernorm": "attention_post post",
    "pre_feedforward_layernorm": "ffn pre",
    "post_feedforward_layernorm": "ffn_post post",
}
GEMMA_HALVES = {
    "attention": attention("self_attn", "o_proj", kv_heads=2, head_dim=16, adds="post_attention_layernorm"),
    "ffn": feed("mlp", "down_proj", adds="post_feedforward_layernorm"),
}

LLAMAS = [
    Family(
        entry="causal-llama",
        block="model.layers.1",
        layer=1,
        halves={"attention": LLAMA_ATTENTION, "ffn": LLAMA_FEED},
        norms=LLAMA_NORMS,
        edges=LLAMA_EDGES,
    ),
    Family(
        entry="causal-qwen3",
        block="model.layers.0",
        halves={"attention": LLAMA_ATTENTION, "ffn": LLAMA_FEED},
        norms=LLAMA_NORMS | QK_NORMS,
        edges=LLAMA_EDGES,
    ),
    Family(
        entry="causal-mixtral",
        block="model.layers.0",
        halves={"attention": LLAMA_ATTENTION, "ffn": moe("mlp", "gate")},
        norms=LLAMA_NORMS,
        edges=LLAMA_EDGES,
    ),
    Family(
        entry="causal-qwen3_moe",
        block="model.layers.2",
        layer=2,
        halves={"attention": LLAMA_ATTENTION, "ffn": moe("mlp", "gate")},
        norms=LLAMA_NORMS | QK_NORMS,
        edges=LLAMA_EDGES,
    ),
    Family(
        entry="causal-gemma2",
        block="model.layers.0",
        halves=GEMMA_HALVES,
        norms=SANDWICH,
        edges=LLAMA_EDGES,
    ),
    Family(
        entry="causal-gemma3_text",
        block="model.layers.2",
        layer=2,
        halves=GEMMA_HALVES,
        norms=SANDWICH | QK_NORMS,
        edges=LLAMA_EDGES,
    ),
    Family(
        entry="causal-phi",
        block="model.layers.0",
        halves={"attention": attention("self_attn", "dense", kv_heads=2), "ffn": feed("mlp", "fc2")},
        norms={"input_layernorm": "attention pre"},
        edges={**LLAMA_EDGES, "layer_norm_final": "model.final_layernorm"},
        parallel=True,
    ),
    Family(
        entry="causal-phi3",
        block="model.layers.0",
        halves={"attention": attention("self_attn", "o_proj", "thirds", "qkv_proj", kv_heads=2), "ffn": LLAMA_FEED},
        norms=LLAMA_NORMS,
        edges=LLAMA_EDGES,
    ),
    Family(
        entry="causal-olmo2",
        block="model.layers.0",
        halves={
            "attention": attention("self_attn", "o_proj", kv_heads=2, adds="post_attention_layernorm"),
            "ffn": feed("mlp", "down_proj", adds="post_feedforward_layernorm"),
        },
        norms={
            "post_attention_layernorm": "attention_post post",
            "post_feedforward_layernorm": "ffn_post post",
            **QK_NORMS,
        },
        edges=LLAMA_EDGES,
    ),
    Family(
        entry="causal-granite",
        block="model.layers.0",
        halves={
            "attention": attention("self_attn", "o_proj", kv_heads=2, times=0.5),
            "ffn": feed("mlp", "down_proj", times=0.5),
        },
        norms=LLAMA_NORMS,
        edges=LLAMA_EDGES,
    ),
    Family(
        entry="causal-gpt_oss",
        block="model.layers.1",
        layer=1,
        halves={
            "attention": attention("self_attn", "o_proj", kv_heads=2, head_dim=16),
            "ffn": moe("mlp", "router"),
        },
        norms=LLAMA_NORMS,
        edges=LLAMA_EDGES,
    ),
    Family(
        entry="causal-stablelm",
        block="model.layers.0",
        halves={"attention": LLAMA_ATTENTION, "ffn": LLAMA_FEED},
        norms=LLAMA_NORMS,
        edges=LLAMA_EDGES,
    ),
    Family(
        entry="causal-jamba",
        block="model.layers.0",
        halves={"mixer": Half(module="mamba"), "ffn": feed("feed_forward", "down_proj")},
        norms={
            "input_layernorm": "mixer pre",
            "pre_ff_layernorm": "ffn pre",
            "mamba.dt_layernorm": "dt_layernorm inside",
            "mamba.b_layernorm": "b_layernorm inside",
            "mamba.c_layernorm": "c_layernorm inside",
        },
        edges={
            "embedding": "model.embed_tokens",
            "layer_norm_final": "model.final_layernorm",
            "output_head": "lm_head",
        },
    ),
    Family(
        entry="causal-jamba",
        block="model.layers.2",
        layer=2,
        halves={"attention": LLAMA_ATTENTION, "ffn": feed("feed_forward", "down_proj")},
        norms={"input_layernorm": "attention pre", "pre_ff_layernorm": "ffn pre"},
    ),
]
