"""Families written down by hand from the sources of transformers; nothing here was asked of the probe.

Paths are relative to the block; `adds` is the module whose output joins the residual stream, where it is another than
the half's own. A norm is `path: role place`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Half:
    """`enters` is the projection that heads or neurons enter; empty for experts and mixers."""

    module: str
    enters: str = ""
    adds: str = ""
    times: float = 1.0
    spread: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Attention(Half):
    qkv: str
    sources: tuple[str, ...]
    kv_heads: int = 4
    head_dim: int = 8


@dataclass(frozen=True, kw_only=True)
class Feed(Half):
    neurons: int | None = 64
    router: str = ""
    experts: str = ""


@dataclass(frozen=True, kw_only=True)
class Family:
    """`entry` is a line of the zoo, `block` the path of the block at `layer`; names there begin with `stack`."""

    entry: str
    block: str
    halves: dict[str, Half]
    norms: dict[str, str]
    edges: dict[str, str] = field(default_factory=dict)
    parallel: bool = False
    layer: int = 0
    stack: str = ""

    def path(self, relative: str) -> str:
        return f"{self.block}.{relative}" if relative else self.block


def split(owner: str, names: str = "q_proj k_proj v_proj") -> tuple[str, ...]:
    return tuple(f"{owner}.{name}" for name in names.split())


def attention(owner: str, out: str, qkv: str = "split", names: str = "q_proj k_proj v_proj", **more: object) -> Half:
    return Attention(module=owner, enters=f"{owner}.{out}", qkv=qkv, sources=split(owner, names), **more)  # type: ignore[arg-type]


def feed(owner: str, down: str, **more: object) -> Half:
    return Feed(module=owner, enters=f"{owner}.{down}", **more)  # type: ignore[arg-type]


def moe(owner: str, router: str) -> Half:
    return Feed(module=owner, neurons=None, router=f"{owner}.{router}", experts=f"{owner}.experts")


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
GPT_EDGES = {"embedding": "transformer.wte", "layer_norm_final": "transformer.ln_f", "output_head": "lm_head"}
GPT_NORMS = {"ln_1": "attention pre", "ln_2": "ffn pre"}
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
T5_FEED, T5_OUT = "DenseReluDense", "o"


def t5_attention(place: int, name: str) -> Half:
    return attention(f"layer.{place}.{name}", T5_OUT, names="q k v")


def bart_half(owner: str) -> Half:
    return attention(owner, "out_proj")


BART_FEED = Feed(module="fc2", enters="fc2", spread=("activation_fn", "fc1", "fc2"))

FAMILIES = [
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
        edges={"encoder_layer_norm_final": "encoder.final_layer_norm"},
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
        edges={"layer_norm_final": "decoder.final_layer_norm", "output_head": "lm_head"},
    ),
    Family(
        entry="seq2seq-bart",
        block="model.encoder.layers.0",
        stack="encoder_",
        halves={"attention": bart_half("self_attn"), "ffn": BART_FEED},
        norms={"self_attn_layer_norm": "attention_post stream", "final_layer_norm": "ffn_post stream"},
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
        edges={"output_head": "lm_head"},
    ),
]
