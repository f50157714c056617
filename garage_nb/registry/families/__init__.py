"""Which layout each `config.model_type` has. A new family is one file with a Layout and one line here."""

from ..layout import Layout
from .gemma import GEMMA, GEMMA_SANDWICH
from .gpt2 import GPT2
from .llama import LLAMA
from .mixtral import MIXTRAL
from .phi import PHI, PHI3

BY_MODEL_TYPE: dict[str, Layout] = {
    "gpt2": GPT2,
    "llama": LLAMA,
    "mistral": LLAMA,
    "qwen2": LLAMA,
    "qwen3": LLAMA,
    "mixtral": MIXTRAL,
    "gemma": GEMMA,
    "gemma2": GEMMA_SANDWICH,
    "gemma3_text": GEMMA_SANDWICH,
    "phi": PHI,
    "phi3": PHI3,
}
