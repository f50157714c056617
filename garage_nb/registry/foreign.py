"""Names other libraries taught people, turned into garage addresses."""

from __future__ import annotations

import re

_TRANSFORMER_LENS = {
    r"blocks\.(\d+)\.hook_resid_post": r"layer_\1",
    r"blocks\.(\d+)\.(?:hook_attn_out|attn)": r"attention_\1",
    r"blocks\.(\d+)\.(?:hook_mlp_out|mlp)": r"ffn_\1",
    r"blocks\.(\d+)\.attn\.hook_z": r"attention_\1.heads",
    r"blocks\.(\d+)\.mlp\.hook_post": r"ffn_\1.neurons",
    r"hook_embed": "embedding",
    r"hook_pos_embed": "position_embedding",
    r"ln_final(?:\.hook_normalized)?": "layer_norm_final",
    r"unembed": "output_head",
}


def from_transformer_lens(name: str) -> str | None:
    """`layer_6` for `blocks.6.hook_resid_post`; the stream before block 6 is the one leaving block 5."""
    before = re.fullmatch(r"blocks\.([0-9]{1,9})\.hook_resid_pre", name)
    if before is not None:
        layer = int(before[1])
        return f"layer_{layer - 1}" if layer else None
    for pattern, address in _TRANSFORMER_LENS.items():
        match = re.fullmatch(pattern, name)
        if match is not None:
            return match.expand(address)
    return None
