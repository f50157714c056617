"""Decoders with names of their own, from their sources."""

from __future__ import annotations

from .llamas import LLAMA_NORMS
from .rows import Attention, Family, Feed, Half, attention, feed, split

GPT_EDGES = {"embedding": "transformer.wte", "layer_norm_final": "transformer.ln_f", "output_head": "lm_head"}
GPT_NORMS = {"ln_1": "attention pre", "ln_2": "ffn pre"}

DECODERS = [
    Family(
        entry="causal-gpt2",
        block="transformer.h.0",
        halves={
            "attention": attention("attn", "c_proj", "thirds", "c_attn"),
            "ffn": feed("mlp", "c_proj", neurons=128),
        },
        norms=GPT_NORMS,
        edges={**GPT_EDGES, "position_embedding": "transformer.wpe"},
    ),
    Family(
        entry="causal-gpt_neox",
        block="gpt_neox.layers.0",
        halves={
            "attention": attention("attention", "dense", "grouped", "query_key_value"),
            "ffn": feed("mlp", "dense_4h_to_h"),
        },
        norms=LLAMA_NORMS,
        edges={
            "embedding": "gpt_neox.embed_in",
            "rotary_emb": "gpt_neox.rotary_emb",
            "layer_norm_final": "gpt_neox.final_layer_norm",
            "output_head": "lm_head",
        },
        parallel=True,
    ),
    Family(
        entry="causal-gpt_neo",
        block="transformer.h.0",
        halves={
            "attention": Attention(
                module="attn", enters="attn.attention.out_proj", qkv="split", sources=split("attn.attention")
            ),
            "ffn": feed("mlp", "c_proj", neurons=128),
        },
        norms=GPT_NORMS,
        edges={**GPT_EDGES, "position_embedding": "transformer.wpe"},
    ),
    Family(
        entry="causal-opt",
        block="model.decoder.layers.0",
        halves={
            "attention": attention("self_attn", "out_proj"),
            "ffn": Feed(module="fc2", enters="fc2", spread=("activation_fn", "fc1", "fc2", "final_layer_norm")),
        },
        norms={"self_attn_layer_norm": "attention pre", "final_layer_norm": "ffn pre"},
        edges={
            "embedding": "model.decoder.embed_tokens",
            "position_embedding": "model.decoder.embed_positions",
            "layer_norm_final": "model.decoder.final_layer_norm",
            "output_head": "lm_head",
        },
    ),
    Family(
        entry="causal-bloom",
        block="transformer.h.0",
        halves={
            "attention": attention(
                "self_attention", "dense", "grouped", "query_key_value", adds="self_attention.dense"
            ),
            "ffn": feed("mlp", "dense_4h_to_h", neurons=128, adds="mlp.dense_4h_to_h"),
        },
        norms=LLAMA_NORMS,
        edges={
            "embedding": "transformer.word_embeddings",
            "layer_norm_embedding": "transformer.word_embeddings_layernorm",
            "layer_norm_final": "transformer.ln_f",
            "output_head": "lm_head",
        },
    ),
    Family(
        entry="causal-falcon",
        block="transformer.h.0",
        halves={
            "attention": attention("self_attention", "dense", "thirds", "query_key_value", kv_heads=1),
            "ffn": feed("mlp", "dense_4h_to_h"),
        },
        norms={"input_layernorm": "attention pre"},
        edges={
            "embedding": "transformer.word_embeddings",
            "rotary_emb": "transformer.rotary_emb",
            "layer_norm_final": "transformer.ln_f",
            "output_head": "lm_head",
        },
        parallel=True,
    ),
    Family(
        entry="causal-mpt",
        block="transformer.blocks.0",
        halves={
            "attention": attention("attn", "out_proj", "thirds", "Wqkv"),
            "ffn": feed("ffn", "down_proj", neurons=128, adds="ffn.down_proj"),
        },
        norms={"norm_1": "attention pre", "norm_2": "ffn pre"},
        edges={**GPT_EDGES, "layer_norm_final": "transformer.norm_f"},
    ),
    Family(
        entry="causal-gptj",
        block="transformer.h.0",
        halves={"attention": attention("attn", "out_proj"), "ffn": feed("mlp", "fc_out", neurons=128)},
        norms={"ln_1": "attention pre"},
        edges=GPT_EDGES,
        parallel=True,
    ),
    Family(
        entry="causal-mamba",
        block="backbone.layers.0",
        halves={"mixer": Half(module="mixer")},
        norms={"norm": "mixer pre"},
        edges={
            "embedding": "backbone.embeddings",
            "layer_norm_final": "backbone.norm_f",
            "output_head": "lm_head",
        },
    ),
]
