"""Which setting of a config gets which small value, by its name."""

from __future__ import annotations

import re

WIDTH, HEADS, KV_HEADS, HEAD_DIM, INNER, VOCAB, POSITIONS = 32, 4, 2, 8, 64, 96, 64
WINDOW, EXPERTS, PER_TOKEN, RANK, STATE = 4, 4, 2, 16, 4
LARGE = 128  # what nobody named and is larger than this is a width or a length of its own

_NAMES: tuple[tuple[int, str], ...] = (
    (WIDTH, "hidden_size n_embd n_embed d_model dim dim_model d_embed embed_dim emb_dim word_embed_proj_dim lru_width "
            "audio_hidden_size attention_hidden_size encoder_hidden_size hidden_size_global lstm_hidden_size "
            "mamba_d_ssm output_dim"),
    (HEADS, "num_attention_heads n_head n_heads num_heads decoder_attention_heads encoder_attention_heads "
            "num_encoder_attention_heads num_decoder_attention_heads linear_num_value_heads mamba_n_heads "
            "mamba_num_heads num_attention_heads_per_layer swa_num_attention_heads linear_num_heads"),
    (KV_HEADS, "num_key_value_heads num_kv_heads linear_num_key_heads multi_query_group_num n_groups mamba_n_groups "
               "num_attention_groups swa_num_key_value_heads num_global_key_value_heads"),
    (HEAD_DIM, "head_dim d_kv attention_head_size v_head_dim qk_rope_head_dim qk_nope_head_dim kv_channels dim_head "
               "linear_key_head_dim linear_value_head_dim attention_head_dim swa_head_dim global_head_dim kda_head_dim "
               "index_head_dim indexer_head_dim mamba_headdim mamba_head_dim chunk_size mamba_chunk_size laurel_rank "
               "d_head d_rel linear_head_dim"),
    (INNER, "intermediate_size n_inner ffn_dim decoder_ffn_dim encoder_ffn_dim d_ff dff ffn_hidden_size dim_ff "
            "inner_dim d_inner feed_forward_size block_ff_dim intermediate_size_mlp shared_intermediate_size "
            "shared_expert_intermediate_size moe_shared_expert_intermediate_size dense_intermediate_size hidden_dim"),
    (INNER // 2, "moe_intermediate_size expert_ffn_hidden_size"),
    (VOCAB, "vocab_size vocab_size_per_layer_input n_vocab text_vocab_size num_embeddings unpadded_vocab_size "
            "decoder_vocab_size src_vocab_size tgt_vocab_size"),
    (POSITIONS, "max_position_embeddings n_positions n_ctx max_seq_len max_sequence_length max_target_positions "
                "max_source_positions context_length original_max_position_embeddings seq_length position_buckets "
                "max_encoder_position_embeddings max_decoder_position_embeddings"),
    (WINDOW, "sliding_window window_size attention_window_size attention_chunk_size sliding_window_size "
             "attention_window local_attention_window_len keep_window_size index_topk rel_extent floor_scale "
             "log_scaling_n_floor block_size"),
    (EXPERTS, "num_experts num_local_experts n_routed_experts moe_num_experts num_routed_experts n_experts "
              "zero_expert_num"),
    (PER_TOKEN, "num_experts_per_tok moe_topk num_experts_per_token moe_k top_k_experts"),
    (1, "n_group topk_group n_shared_experts num_shared_experts moe_num_shared_experts first_k_dense_replace "
        "num_dense_layers num_expert_group max_window_layers"),
    (2, "encoder_sparse_step decoder_sparse_step layer_group_size"),
    (2 * HEAD_DIM, "qk_head_dim mamba_d_head"),
    (RANK, "q_lora_rank kv_lora_rank o_lora_rank time_step_rank mamba_dt_rank hidden_size_per_layer_input "
           "embedding_size hc_lowrank ple_embed_dim"),
    (STATE, "state_size mamba_d_state ssm_state_size mamba_state_size index_n_heads rotary_dim"),
)  # fmt: skip
SIZES = {name: size for size, names in _NAMES for name in names.split()}
LAYERS = ["num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_blocks"] + [
    f"{part}layers" for part in ("decoder_", "encoder_", "num_decoder_", "num_encoder_")
]
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "sep_token_id": 2, "decoder_start_token_id": 1}
KEPT = re.compile(r"_id$|_ids$|token|_index$|image_size|sampling_rate|offset|^num_labels$")
FACTOR = re.compile(r"((?<!depthwise_)multipliers?|scaling|_scale|scaling_factor|(alpha|beta)_factor)$")
PLACES = re.compile(r"layer|idxs|indexes|indices")
