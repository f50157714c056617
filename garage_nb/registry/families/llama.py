"""Llama, and those built like it: Mistral, Qwen 2 and 3."""

from ..layout import Layout

LLAMA = Layout(
    layers="layers",
    embedding="embed_tokens",
    rotary="rotary_emb",
    final_norm="norm",
    attention="self_attn",
    attention_projection="self_attn.o_proj",
    ffn="mlp",
    ffn_projection="mlp.down_proj",
    norms={"attention": "input_layernorm", "ffn": "post_attention_layernorm"},
)
