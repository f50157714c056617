"""GPT-2: learned positions, a fused qkv projection, norms before each half."""

from ..layout import Layout

GPT2 = Layout(
    layers="h",
    embedding="wte",
    position_embedding="wpe",
    final_norm="ln_f",
    attention="attn",
    attention_projection="attn.c_proj",
    ffn="mlp",
    ffn_projection="mlp.c_proj",
    norms={"attention": "ln_1", "ffn": "ln_2"},
)
