"""The models measured: random weights in a folder that every player's process reads."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models

VOCAB = 50_257
WEIGHTS = "model.safetensors"
KIND: Any = transformers.AutoModelForCausalLM


@dataclass(frozen=True)
class Shape:
    """`config` makes it. On a GPU only the configuration is saved; each process draws the weights where they live."""

    name: str
    config: Callable[[], Any]
    device: str = "cpu"
    dtype: str = "float32"

    def save(self, folder: Path) -> None:
        config = self.config()
        config.eos_token_id = config.bos_token_id = None  # no text ends before it is told to
        _tokenizer().save_pretrained(folder)
        if self.device == "cpu":
            torch.manual_seed(0)
            KIND.from_config(config).save_pretrained(folder)
        else:
            config.save_pretrained(folder)


def _gpt2() -> Any:
    return transformers.GPT2Config(n_layer=12, n_embd=768, n_head=12, vocab_size=VOCAB)


def _llama() -> Any:
    return transformers.LlamaConfig(
        num_hidden_layers=12, hidden_size=768, num_attention_heads=12, num_key_value_heads=12,
        intermediate_size=2048, vocab_size=VOCAB, max_position_embeddings=1024,
    )  # fmt: skip


def _llama_7b() -> Any:
    return transformers.LlamaConfig()


SHAPES = (
    Shape("gpt2", _gpt2),
    Shape("llama", _llama),
    Shape("llama-7b", _llama_7b, device="cuda", dtype="bfloat16"),
)


def there() -> list[Shape]:
    """Those that this machine can run."""
    return [shape for shape in SHAPES if shape.device == "cpu" or torch.cuda.is_available()]


def load(folder: Path, device: str, dtype: str) -> Any:
    """transformers' own model with its default attention, evaluation mode, no gradients."""
    if (folder / WEIGHTS).exists():
        model = KIND.from_pretrained(folder, dtype=getattr(torch, dtype)).to(device)
    else:
        config = transformers.AutoConfig.from_pretrained(folder)
        with torch.device(device):
            model = KIND.from_config(config, dtype=getattr(torch, dtype))
    model.config.name_or_path = str(folder)
    return model.eval().requires_grad_(False)


def twin(model: Any) -> Any:
    """Modules of its own around the same weights: what a tool does to one cannot slow the other."""
    shared = {id(tensor): tensor for tensor in [*model.parameters(), *model.buffers()]}
    return copy.deepcopy(model, shared)


def _tokenizer() -> Any:
    """Two words; some tools do not start without."""
    words = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    kind: Any = transformers.PreTrainedTokenizerFast
    return kind(tokenizer_object=words, eos_token="a", bos_token="a", pad_token="a")
