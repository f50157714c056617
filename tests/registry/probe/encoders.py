"""Encoders, and both stacks of encoder–decoder models, from their sources."""

from __future__ import annotations

from .rows import Attention, Family, Feed, Half, attention, feed, split

T5_FEED, T5_OUT = "DenseReluDense", "o"


def t5_attention(place: int, name: str) -> Half:
    return attention(f"layer.{place}.{name}", T5_OUT, names="q k v")


def bart_half(owner: str) -> Half:
    return attention(owner, "out_proj")


BART_FEED = Feed(module="fc2", enters="fc2", spread=("activation_fn", "fc1", "fc2"))

ENCODERS = [
    Family(
        entry="masked-bert",
        block="bert.encoder.layer.0",
        halves={
            "attention": Attention(
                module="attention",
                enters="attention.output.dense",
                adds="attention.output.dense",
                qkv="split",
                sources=split("attention.self", "query key value"),
            ),
            "ffn": Feed(module="output.dense", enters="output.dense", spread=("intermediate",)),
        },
        norms={"attention.output.LayerNorm": "attention_post stream", "output.LayerNorm": "ffn_post stream"},
        edges={
            "embedding": "bert.embeddings.word_embeddings",
            "position_embedding": "bert.embeddings.position_embeddings",
            "layer_norm_embedding": "bert.embeddings.LayerNorm",
            "output_head": "cls.predictions.decoder",
        },
    ),
    Family(
        entry="masked-albert",
        block="albert.encoder.albert_layer_groups.0.albert_layers.0",
        layer=1,
        halves={
            "attention": attention("attention", "dense", names="query key value", adds="attention.dense"),
            "ffn": Feed(module="ffn_output", enters="ffn_output", spread=("activation", "ffn", "ffn_output")),
        },
        norms={"attention.LayerNorm": "attention_post stream", "full_layer_layer_norm": "ffn_post stream"},
        edges={
            "embedding": "albert.embeddings.word_embeddings",
            "position_embedding": "albert.embeddings.position_embeddings",
            "layer_norm_embedding": "albert.embeddings.LayerNorm",
            "output_head": "predictions.decoder",
        },
    ),
    Family(
        entry="seq2seq-t5",
        block="encoder.block.0",
        stack="encoder_",
        halves={"attention": t5_attention(0, "SelfAttention"), "ffn": feed(f"layer.1.{T5_FEED}", "wo")},
        norms={"layer.0.layer_norm": "attention pre", "layer.1.layer_norm": "ffn pre"},
        edges={"encoder_embedding": "encoder.embed_tokens", "encoder_layer_norm_final": "encoder.final_layer_norm"},
    ),
    Family(
        entry="seq2seq-t5",
        block="decoder.block.0",
        halves={
            "attention": t5_attention(0, "SelfAttention"),
            "cross_attention": t5_attention(1, "EncDecAttention"),
            "ffn": feed(f"layer.2.{T5_FEED}", "wo"),
        },
        norms={
            "layer.0.layer_norm": "attention pre",
            "layer.1.layer_norm": "cross_attention pre",
            "layer.2.layer_norm": "ffn pre",
        },
        edges={
            "embedding": "decoder.embed_tokens",
            "layer_norm_final": "decoder.final_layer_norm",
            "output_head": "lm_head",
        },
    ),
    Family(
        entry="seq2seq-bart",
        block="model.encoder.layers.0",
        stack="encoder_",
        halves={"attention": bart_half("self_attn"), "ffn": BART_FEED},
        norms={"self_attn_layer_norm": "attention_post stream", "final_layer_norm": "ffn_post stream"},
        edges={
            "encoder_embedding": "model.encoder.embed_tokens",
            "encoder_position_embedding": "model.encoder.embed_positions",
            "encoder_layer_norm_embedding": "model.encoder.layernorm_embedding",
        },
    ),
    Family(
        entry="seq2seq-bart",
        block="model.decoder.layers.1",
        layer=1,
        halves={
            "attention": bart_half("self_attn"),
            "cross_attention": bart_half("encoder_attn"),
            "ffn": BART_FEED,
        },
        norms={
            "self_attn_layer_norm": "attention_post stream",
            "encoder_attn_layer_norm": "cross_attention_post stream",
            "final_layer_norm": "ffn_post stream",
        },
        edges={
            "embedding": "model.decoder.embed_tokens",
            "position_embedding": "model.decoder.embed_positions",
            "layer_norm_embedding": "model.decoder.layernorm_embedding",
            "output_head": "lm_head",
        },
    ),
]
