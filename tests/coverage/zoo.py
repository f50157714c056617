"""A tiny, runnable model of every class that transformers maps to a language-modelling task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .odd import CHANGES, REFUSED
from .shrink import shrunk

MAPPINGS = {
    "causal": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "masked": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "seq2seq": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
}
LARGEST = 2_000_000  # parameters; what is larger was not made small
IDS = (3, 14, 15, 9, 26, 5, 8, 7)  # more than a sliding window holds, and below the smallest vocabulary
WRITTEN = 4
_SHAKEN_BUFFERS = ("_bias", "_biases", "_scalar")  # trained like parameters, though they are none


@dataclass(frozen=True)
class Entry:
    """One line of a mapping."""

    task: str
    model_type: str
    class_name: str

    def __str__(self) -> str:
        return f"{self.task}-{self.model_type}"

    @property
    def model_class(self) -> Any:
        import transformers

        return getattr(transformers, self.class_name)

    @property
    def config_name(self) -> str:
        """The config the class itself takes, which for a part of a wrapper is not the wrapper's."""
        return str(self.model_class.config_class.__name__)

    @property
    def refused(self) -> str:
        """Why no tiny model of it can be made or run on token ids; empty for the others."""
        return REFUSED.get(str(self), REFUSED.get(self.model_type, ""))


def entries(task: str | None = None) -> list[Entry]:
    from transformers.models.auto import modeling_auto

    return [
        Entry(name, model_type, class_name)
        for name, mapping in MAPPINGS.items()
        if task in (None, name)
        for model_type, class_name in getattr(modeling_auto, mapping).items()
    ]


def build(entry: Entry, layers: int = 3, seed: int = 0) -> Any:
    """A fresh model in evaluation mode, float32. Equal arguments give equal weights; the global RNG is left alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _small_enough(entry, tiny_config(entry, layers))
        _shake(model)
    return model.eval()


def _small_enough(entry: Entry, config: Any) -> Any:
    """Counts before it builds: what a rule missed may take all memory."""
    with torch.device("meta"):
        size = sum(parameter.numel() for parameter in entry.model_class(config).parameters())
    if size > LARGEST:
        raise ValueError(f"it still has {size:,} parameters when made small")
    return entry.model_class(config).float()


def tiny_config(entry: Entry, layers: int = 3) -> Any:
    kind = entry.model_class.config_class
    return kind(**shrunk(kind().to_dict(), layers, **CHANGES.get(str(entry), {})))


def inputs(model: Any) -> dict[str, Tensor]:
    """Eight token ids, and four that an encoder–decoder model has written."""
    ids = torch.tensor([IDS])
    return {"input_ids": ids, "decoder_input_ids": ids[:, :WRITTEN]} if _writes(model) else {"input_ids": ids}


def _writes(model: Any) -> bool:
    return bool(model.config.is_encoder_decoder)


def _shake(model: torch.nn.Module) -> None:
    """Norm weights and biases move by random amounts: with ones and zeros in them many a wrong answer looks right."""
    with torch.no_grad():
        for parameter in model.parameters():
            drawn = torch.randn_like(parameter)
            parameter.add_(0.2 * drawn) if parameter.ndim == 1 else parameter.copy_(parameter * 3 + 0.02 * drawn)
        for name, buffer in model.named_buffers():
            if name.endswith(_SHAKEN_BUFFERS):
                buffer.add_(0.2 * torch.randn_like(buffer))
