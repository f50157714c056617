"""Tiny random models, one for every `model_type` the catalogue opens, small enough to build in milliseconds.

Norm weights are random too: with ones and zeros in them, many a wrong answer looks right. Families with a sliding
window get one of 4 tokens, shorter than PROMPT, so that a mistake about it cannot hide.
"""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import torch

FAMILIES = [
    "gpt2", "llama", "mistral", "qwen2", "qwen3", "mixtral", "gemma", "gemma2", "gemma3_text", "phi", "phi3"
]  # fmt: skip
HIDDEN, HEADS, KV_HEADS, HEAD_DIM, NEURONS, VOCAB, POSITIONS, WINDOW = 32, 4, 2, 8, 64, 64, 64, 4
PROMPT = [[3, 1, 4, 1, 5, 9, 2, 6, 53, 58]]

_COMMON: dict[str, Any] = {
    "vocab_size": VOCAB, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2, "use_cache": True,
}  # fmt: skip
_LLAMA_LIKE = {
    "hidden_size": HIDDEN, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "intermediate_size": NEURONS,
    "max_position_embeddings": POSITIONS,
}  # fmt: skip
_HEAD_DIM = {"head_dim": HEAD_DIM}
_OWN: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": HIDDEN, "n_head": HEADS, "n_positions": POSITIONS},
    "llama": _LLAMA_LIKE,
    "mistral": {**_LLAMA_LIKE, "sliding_window": WINDOW},
    "mixtral": {**_LLAMA_LIKE, "num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen2": {**_LLAMA_LIKE, "use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1},
    "qwen3": {**_LLAMA_LIKE, **_HEAD_DIM},
    "gemma": {**_LLAMA_LIKE, **_HEAD_DIM},
    "gemma2": {**_LLAMA_LIKE, **_HEAD_DIM, "sliding_window": WINDOW},
    "gemma3_text": {**_LLAMA_LIKE, **_HEAD_DIM, "sliding_window": WINDOW, "sliding_window_pattern": 2},
    "phi": _LLAMA_LIKE,
    "phi3": {**_LLAMA_LIKE, "sliding_window": WINDOW},
}


def tiny(model_type: str, layers: int = 3, seed: int = 0, **changes: Any) -> Any:
    """A fresh model in evaluation mode; equal arguments give equal weights, and the global RNG is left alone."""
    from transformers import AutoConfig, AutoModelForCausalLM

    size = {"n_layer" if model_type == "gpt2" else "num_hidden_layers": layers}
    config = AutoConfig.for_model(model_type, **{**_COMMON, **_OWN.get(model_type, _LLAMA_LIKE), **size, **changes})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
        _shake(model)
    return model.eval()


def prompt() -> torch.Tensor:
    return torch.tensor(PROMPT)


def saved(model_type: str, folder: Path, layers: int = 3) -> str:
    """A folder as `save_pretrained` leaves it, with a tokenizer of letters, digits and spaces.

    It is a byte-level BPE, for transformers opens the tokenizer of a Qwen 2 folder as one whatever was saved.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
    words = [*special.values(), "Ġ", *string.ascii_lowercase, *string.digits]
    known = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, [], unk_token="<pad>"))
    known.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    known.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=known, **special).save_pretrained(folder)
    tiny(model_type, layers).save_pretrained(folder)
    return str(folder)


def _shake(model: torch.nn.Module) -> None:
    """Every vector (norm weights, biases) moves by a random amount, and matrices grow so that blocks matter."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
            else:
                parameter.mul_(4)
