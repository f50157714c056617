"""What the general rules cannot know: settings by the type of a config, and what cannot be built or run at all.

A tuple is a pattern, repeated for as many layers as there are. `...` takes a setting out, so that the class works it
out itself. A key such as "masked-reformer" is for that entry alone.
"""

from __future__ import annotations

from typing import Any

_MAMBA_MIXED = ("linear_attention", "full_attention", "linear_attention")
_ZAMBA = {
    "num_hidden_layers": 4,
    "layers_block_type": ("linear_attention", "hybrid"),
    "attention_hidden_size": 64,
    "attention_head_dim": 16,
}

CHANGES: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1]},
    "blt": {"use_cache": False},
    "cohere_compass_text": {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 10000.0}}},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 64, "moe_num_experts": 4, "moe_top_k": 2, "hidden_size": 32},
    },
    "deepseek_v2": {"num_experts_per_tok": 2, "first_k_dense_replace": 1},
    "dots1": {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1},
    "dots3_note_text": {
        "num_key_value_heads": 4,
        "swa_num_attention_heads": 4,
        "swa_num_key_value_heads": 4,
        "swa_q_lora_rank": 16,
        "swa_kv_lora_rank": 16,
        "swa_head_dim": 16,
        "swa_qk_nope_head_dim": 8,
        "swa_v_head_dim": 8,
    },
    "esm": {"vocab_size": 96, "pad_token_id": 0, "mask_token_id": 3, "position_embedding_type": "rotary"},
    "esmc": {"num_key_value_heads": 4},
    "gemma3n_text": {"num_kv_shared_layers": 1},
    "gemma4_text": {"global_head_dim": 16},
    "gemma4_unified_text": {"global_head_dim": 16},
    "granitemoehybrid": {"layers_block_type": _MAMBA_MIXED, "layer_types": _MAMBA_MIXED},
    "hrm_text": {"num_layers_per_stack": 1, "num_hidden_layers": 8, "H_cycles": 2, "L_cycles": 3},
    "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8},
    "jamba": {"attn_layer_period": 3, "attn_layer_offset": 2, "layers_block_type": ..., "layer_types": ...},
    "lfm2_moe": {"layer_types": ("conv", "full_attention", "conv"), "num_dense_layers": 1},
    "luke": {"entity_vocab_size": 8, "entity_emb_size": 32},
    "masked-reformer": {"is_decoder": False},
    "ministral": {"head_dim": 8},
    "musicgen_decoder": {"num_codebooks": 1},
    "musicgen_melody_decoder": {"num_codebooks": 1},
    "nemotron": {"num_key_value_heads": 2},
    "nemotron3_5_transcribe_word_timestamp": {"blank_token_id": 95},
    "neomme": {"head_dim": 16},
    "qwen4_exp_text": {
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 16,
        "indexer_budget": 4,
        "indexer_compress_ratio": 1,
        "ngram_vocab_size_base": 50,
        "split_ngram_parts": 1,
    },
    "reformer": {
        "is_decoder": True,
        "axial_pos_embds": False,
        "hash_seed": 0,
        "local_attn_chunk_length": 4,
        "lsh_attn_chunk_length": 4,
        "num_buckets": 2,
    },
    "squeezebert": {
        "embedding_size": 32,
        "q_groups": 1,
        "k_groups": 1,
        "v_groups": 1,
        "post_attention_groups": 1,
        "intermediate_groups": 1,
        "output_groups": 1,
    },
    "vibevoice_acoustic_tokenizer_encoder": {"num_filters": 2, "depths": [1, 1], "downsampling_ratios": [2]},
    "xlstm": {"hidden_size": 64, "embedding_dim": 64, "qk_dim_factor": 1.0},
    "xmod": {"default_language": "en_XX", "is_decoder": True},
    "zamba": _ZAMBA,
    "zamba2": _ZAMBA | {"hybrid_layer_ids": [1, 3]},
}
REFUSED: dict[str, str] = {
    "gemma3n": "needs the package timm for its vision tower; its language model is gemma3n_text",
    "gemma4_assistant": "reads another model's hidden states, not token ids",
    "gemma4_unified_assistant": "reads another model's hidden states, not token ids",
    "voxtral_realtime": "runs on sound only: it adds an encoded sound to every token",
}
