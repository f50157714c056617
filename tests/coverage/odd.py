"""What the general rules get wrong: changes to a tiny config by model type, and what cannot be built or run at all.

`...` takes a setting out, so that the class works it out itself.
"""

from __future__ import annotations

from typing import Any

_HYBRID = ["linear_attention", "full_attention", "linear_attention"]
_SHARED = ["linear_attention", "hybrid", "linear_attention", "hybrid"]
_GEMMA_MIXED = ["sliding_attention", "full_attention", "sliding_attention"]
_GEMMA3N = {
    "intermediate_size": 64,
    "layer_types": _GEMMA_MIXED,
    "num_kv_shared_layers": 0,
    "activation_sparsity_pattern": ...,
}

CHANGES: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1], "mamba_n_heads": 4, "mamba_d_head": 16},
    "dots1": {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1, "first_k_dense_replace": 1},
    "gemma3n_text": _GEMMA3N,
    "bailing_hybrid": {"n_group": 1, "topk_group": 1, "layer_group_size": 2},
    "cohere_compass_text": {
        "layer_types": ["full_attention"] * 3,
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 10000.0}},
    },
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 64, "moe_num_experts": 4, "moe_top_k": 2, "hidden_size": 32},
    },
    "deepseek_v2": {
        "num_experts_per_tok": 2,
        "first_k_dense_replace": 1,
        "n_routed_experts": 4,
        "moe_intermediate_size": 32,
    },
    "esm": {"vocab_size": 96, "pad_token_id": 0, "mask_token_id": 3, "position_embedding_type": "rotary"},
    "esmc": {"num_key_value_heads": 4},
    "led": {"max_encoder_position_embeddings": 64, "max_decoder_position_embeddings": 64, "attention_window": 4},
    "luke": {"entity_vocab_size": 8, "entity_emb_size": 32},
    "masked-reformer": {"is_decoder": False},
    "squeezebert": {
        "embedding_size": 32,
        "q_groups": 1,
        "k_groups": 1,
        "v_groups": 1,
        "post_attention_groups": 1,
        "intermediate_groups": 1,
        "output_groups": 1,
    },
    "fsmt": {"src_vocab_size": 96, "tgt_vocab_size": 96},
    "granitemoehybrid": {"layers_block_type": _HYBRID, "layer_types": _HYBRID, "mamba_n_heads": 4, "mamba_d_head": 16},
    "hrm_text": {"num_layers_per_stack": 1, "num_hidden_layers": 8, "H_cycles": 2, "L_cycles": 3},
    "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "layers_block_type": ..., "layer_types": ...},
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "conv"], "num_dense_layers": 1},
    "longcat_flash": {
        "qk_head_dim": 16,
        "head_dim": 8,
        "num_key_value_heads": 4,
        "zero_expert_num": 2,
        "num_layers": 2,
    },
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 2},
    "ministral": {"head_dim": 8},
    "nemotron": {"num_key_value_heads": 2},
    "qwen4_exp_text": {
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 8,
        "indexer_budget": 4,
        "indexer_compress_ratio": 1,
        "ngram_vocab_size_base": 50,
        "split_ngram_parts": 1,
    },
    "reformer": {
        "is_decoder": True,
        "attn_layers": ["local", "lsh", "local"],
        "axial_pos_embds": False,
        "local_attn_chunk_length": 4,
        "lsh_attn_chunk_length": 4,
        "num_buckets": 2,
        "feed_forward_size": 64,
    },
    "xlnet": {"d_head": 8},
    "xlstm": {
        "embedding_dim": 32,
        "num_blocks": 3,
        "num_heads": 2,
        "qk_dim_factor": 1.0,
        "ffn_round_up_to_multiple_of": 8,
    },
    "xmod": {"default_language": "en_XX", "is_decoder": True},
    "zamba": {
        "num_hidden_layers": 4,
        "layers_block_type": _SHARED,
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "num_key_value_heads": 4,
    },
    "zamba2": {
        "num_hidden_layers": 4,
        "layers_block_type": _SHARED,
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "num_key_value_heads": 4,
        "mamba_headdim": 8,
        "n_mamba_heads": 8,
        "num_mem_blocks": 1,
        "hybrid_layer_ids": [1, 3],
        "kv_channels": 8,
        "num_query_groups": 4,
        "adapter_rank": 4,
    },
    "roc_bert": {
        "pronunciation_vocab_size": 96,
        "shape_vocab_size": 96,
        "pronunciation_embed_dim": 16,
        "shape_embed_dim": 16,
    },
}
REFUSED: dict[str, str] = {
    "gemma3n": "needs timm for its vision tower; gemma3n_text is opened",
    "gemma4_assistant": "reads another model's hidden states, not token ids",
    "gemma4_unified_assistant": "reads another model's hidden states, not token ids",
    "causal-musicgen": "its config is that of a wrapper the class cannot take",
    "causal-musicgen_melody": "its config is that of a wrapper the class cannot take",
}
