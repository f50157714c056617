"""ModelFamily: which line of models a config belongs to."""

from __future__ import annotations

from enum import Enum
from typing import Any


class ModelFamily(str, Enum):
    GPT2 = "gpt2"
    LLAMA = "llama"
    MISTRAL = "mistral"
    MIXTRAL = "mixtral"
    GEMMA = "gemma"
    QWEN = "qwen"
    PHI = "phi"
    UNKNOWN = "unknown"


_BY_MODEL_TYPE = {
    "gpt2": ModelFamily.GPT2,
    "llama": ModelFamily.LLAMA,
    "mistral": ModelFamily.MISTRAL,
    "mixtral": ModelFamily.MIXTRAL,
    "gemma": ModelFamily.GEMMA,
    "gemma2": ModelFamily.GEMMA,
    "gemma3": ModelFamily.GEMMA,
    "gemma3_text": ModelFamily.GEMMA,
    "qwen2": ModelFamily.QWEN,
    "qwen3": ModelFamily.QWEN,
    "phi": ModelFamily.PHI,
    "phi3": ModelFamily.PHI,
}


def text_config(model: Any) -> Any:
    """The config of the part that reads text; None for a module that has none."""
    config: Any = getattr(model, "config", None)
    return config.get_text_config() if hasattr(config, "get_text_config") else None


def family_of(config: Any) -> ModelFamily:
    """By `model_type`, never by module names: Mistral, Gemma and Llama share those."""
    return _BY_MODEL_TYPE.get(getattr(config, "model_type", ""), ModelFamily.UNKNOWN)
