"""Names other libraries taught people, turned into garage addresses."""

from __future__ import annotations

import re

_TRANSFORMER_LENS = {
    r"blocks\.(\d+)\.hook_resid_post": r"layer_\1",
    r"blocks\.(\d+)\.hook_resid_pre": r"layer_\1.before",
    r"blocks\.(\d+)\.hook_resid_mid": r"layer_\1.mid",
    r"blocks\.(\d+)\.(?:hook_attn_out|attn)": r"attention_\1",
    r"blocks\.(\d+)\.(?:hook_mlp_out|mlp)": r"ffn_\1",
    r"blocks\.(\d+)\.attn\.hook_z": r"attention_\1.heads",
    r"blocks\.(\d+)\.attn\.hook_v": r"attention_\1.v",
    r"blocks\.(\d+)\.attn\.hook_pattern": r"attention_\1.pattern",
    r"blocks\.(\d+)\.mlp\.hook_post": r"ffn_\1.neurons",
    r"hook_embed": "embedding",
    r"hook_pos_embed": "position_embedding",
    r"ln_final(?:\.hook_normalized)?": "layer_norm_final",
    r"unembed": "output_head",
}
_ROTATED = {r"blocks\.(\d+)\.attn\.hook_rot_(q|k)": r"attention_\1.\2"}
_NOT_ROTATED = {r"blocks\.(\d+)\.attn\.hook_(q|k)": r"attention_\1.\2"}


def from_transformer_lens(name: str, *, rotary: bool) -> str | None:
    """`layer_6` for `blocks.6.hook_resid_post`.

    `attention_6.q` is what the scores are made of. In a `rotary` model that is `hook_rot_q`, and `hook_q`, which is
    before the rotation, has no address.
    """
    for pattern, address in {**_TRANSFORMER_LENS, **(_ROTATED if rotary else _NOT_ROTATED)}.items():
        match = re.fullmatch(pattern, name)
        if match is not None:
            return match.expand(address)
    return None
