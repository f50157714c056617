"""Any config, made small: every size it names, its lists of layers, its configs inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WIDTH, HEADS, KV_HEADS, HEAD_DIM, INNER, VOCAB, POSITIONS = 32, 4, 2, 8, 64, 96, 64
FEW, PER_TOKEN, RANK = 4, 2, 16

_NAMED = (
    (
        WIDTH,
        """hidden_size n_embd d_model dim word_embed_proj_dim d_embed dim_model emb_dim encoder_hidden_size lru_width
        mamba_d_ssm n_embed embed_dim attention_hidden_size lstm_hidden_size""",
    ),
    (
        HEADS,
        """num_attention_heads n_head n_heads num_heads decoder_attention_heads encoder_attention_heads
        num_encoder_attention_heads num_decoder_attention_heads linear_num_value_heads mamba_n_heads""",
    ),
    (
        KV_HEADS,
        """num_key_value_heads num_kv_heads linear_num_key_heads multi_query_group_num n_groups mamba_n_groups
        num_attention_groups swa_num_key_value_heads""",
    ),
    (
        HEAD_DIM,
        """head_dim d_kv attention_head_size v_head_dim qk_rope_head_dim qk_nope_head_dim kv_channels dim_head
        linear_key_head_dim linear_value_head_dim attention_head_dim swa_head_dim global_head_dim kda_head_dim
        index_head_dim mamba_headdim mamba_head_dim chunk_size mamba_chunk_size laurel_rank""",
    ),
    (
        INNER,
        """intermediate_size n_inner ffn_dim decoder_ffn_dim encoder_ffn_dim d_ff ffn_hidden_size dim_ff inner_dim
        d_inner moe_intermediate_size shared_expert_intermediate_size shared_intermediate_size intermediate_size_mlp
        feed_forward_size block_ff_dim moe_shared_expert_intermediate_size dense_intermediate_size
        expert_ffn_hidden_size""",
    ),
    (VOCAB, "vocab_size vocab_size_per_layer_input n_vocab text_vocab_size num_embeddings"),
    (
        POSITIONS,
        """max_position_embeddings n_positions n_ctx max_seq_len max_sequence_length max_target_positions
        max_source_positions context_length original_max_position_embeddings seq_length position_buckets
        max_encoder_position_embeddings max_decoder_position_embeddings""",
    ),
    (
        FEW,
        """sliding_window window_size attention_window_size attention_chunk_size sliding_window_size num_experts
        num_local_experts n_routed_experts moe_num_experts num_routed_experts n_experts state_size mamba_d_state
        ssm_state_size mamba_state_size index_n_heads rotary_dim""",
    ),
    (PER_TOKEN, "num_experts_per_tok moe_topk num_experts_per_token moe_k top_k_experts"),
    (1, "n_group topk_group n_shared_experts num_shared_experts moe_num_shared_experts"),
    (
        RANK,
        """q_lora_rank kv_lora_rank time_step_rank mamba_dt_rank hidden_size_per_layer_input embedding_size
        o_lora_rank mamba_d_head""",
    ),
)
SIZES = {name: size for size, names in _NAMED for name in names.split()}
LAYERS = {
    "num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers", "encoder_layers", "num_decoder_layers",
    "num_encoder_layers", "max_window_layers",
}  # fmt: skip
TOKENS = {
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "sep_token_id": 2,
    "decoder_start_token_id": 1,
    "forced_eos_token_id": None,
    "forced_bos_token_id": None,
}
FACTORS = {
    "residual_multiplier", "attention_multiplier", "logits_scaling", "embedding_multiplier", "logit_scale",
    "scale_depth", "scale_emb", "attention_in_multiplier", "attention_out_multiplier", "ssm_in_multiplier",
    "ssm_out_multiplier", "key_multiplier", "lm_head_multiplier",
}  # fmt: skip


def shrunk(config: Any, layers: int) -> dict[str, Any]:
    """Keyword arguments for the config's class: what it has by default, made small."""
    given = config.to_dict() if not isinstance(config, Mapping) else dict(config)
    if given.get("kv_lora_rank") is not None:
        given = {name: value for name, value in given.items() if name != "num_key_value_heads"}  # one for every head
    return {name: small for name, value in given.items() if (small := _small(name, value, layers)) is not _DROP}


_DROP = object()
_OWN = {
    "model_type",
    "transformers_version",
    "architectures",
    "_name_or_path",
    "dtype",
    "torch_dtype",
    "id2label",
    "label2id",
}


def _small(name: str, value: Any, layers: int) -> Any:
    if name in _OWN or name.startswith("_") or name == "per_layer_config":
        return _DROP
    if name in LAYERS and isinstance(value, int):
        return layers
    if name in TOKENS:
        return TOKENS[name] if isinstance(value, int) else value
    if name in SIZES and isinstance(value, int) and not isinstance(value, bool):
        return min(value, SIZES[name]) if value > 0 else value
    if name in FACTORS and isinstance(value, int | float):
        return 0.5 if value == 1 else value
    if isinstance(value, Mapping) and name.endswith("config"):
        return shrunk(value, layers)
    if isinstance(value, list) and len(value) > layers and (_by_layer(name) or name in SIZES):
        cut = _varied(value, layers)
        return [min(item, SIZES[name]) for item in cut] if name in SIZES else cut
    return value


def _by_layer(name: str) -> bool:
    return any(word in name for word in ("layer", "type", "pattern", "block", "freq", "attention"))


def _varied(values: list[Any], layers: int) -> list[Any]:
    """A cut that keeps every kind there is, the rarest last."""
    kinds = list(dict.fromkeys(map(str, values)))
    picked = [next(value for value in values if str(value) == kind) for kind in kinds][:layers]
    return (picked * layers)[:layers] if len(picked) > 1 else values[:layers]
