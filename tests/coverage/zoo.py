"""A tiny, runnable model of every class that transformers maps to a language-modelling task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from garage_nb.core.vocabulary import vocab_size

from .odd import CHANGES, REFUSED
from .shrink import shrunk

MAPPINGS = {
    "causal": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "masked": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "seq2seq": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
}
AUTO = {"causal": "AutoModelForCausalLM", "masked": "AutoModelForMaskedLM", "seq2seq": "AutoModelForSeq2SeqLM"}
LARGEST = 20_000_000  # parameters; what is larger holds a tower for pictures or sound that was not made small
IDS = (3, 14, 15, 92, 65, 35, 89, 79)


@dataclass(frozen=True)
class Entry:
    """One line of a mapping."""

    task: str
    model_type: str
    class_name: str

    def __str__(self) -> str:
        return f"{self.task}-{self.model_type}"

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
    import transformers

    config = tiny_config(entry, layers)
    auto = getattr(transformers, AUTO[entry.task])
    with torch.device("meta"):
        size = sum(parameter.numel() for parameter in auto.from_config(config, trust_remote_code=False).parameters())
    if size > LARGEST:
        raise ValueError(f"it still has {size:,} parameters when made small")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = auto.from_config(config, trust_remote_code=False).float()
        _shake(model)
    return model.eval()


def tiny_config(entry: Entry, layers: int = 3) -> Any:
    from transformers import AutoConfig

    kind = type(AutoConfig.for_model(entry.model_type))
    wanted = shrunk(kind(), layers) | CHANGES.get(entry.model_type, {}) | CHANGES.get(str(entry), {})
    return kind(**{name: value for name, value in wanted.items() if value is not ...})


def inputs(model: Any) -> dict[str, Tensor]:
    """Eight token ids, and two that an encoder–decoder model has written."""
    ids = torch.tensor([[token % vocab_size(model) for token in IDS]])
    given = {"input_ids": ids}
    if model.config.is_encoder_decoder:
        given["decoder_input_ids"] = ids[:, :4]
    return given


def _shake(model: torch.nn.Module) -> None:
    """Norm weights and biases move by random amounts: with ones and zeros in them many a wrong answer looks right."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point():
                drawn = torch.randn_like(parameter)
                parameter.add_(0.2 * drawn) if parameter.ndim == 1 else parameter.copy_(parameter * 3 + 0.02 * drawn)
