"""How a model is called and what it answers: transformers' classes, wrappers around them, and modules of one's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from .batch import Batch
from .sites import leaving

_VARIABLE = inspect.Parameter.VAR_KEYWORD


def asked(model: nn.Module, batch: Batch, **extra: Any) -> Callable[[], Any]:
    """The model's own call for this batch. What its `forward` does not take is left out."""
    taken = inspect.signature(model.forward).parameters
    given: dict[str, Any] = {**batch.inputs(), **extra}
    if "input_ids" in taken:
        return partial(model, **{name: value for name, value in given.items() if name in taken})
    if any(parameter.kind is _VARIABLE for parameter in taken.values()) and hasattr(model, "config"):
        return partial(model, **given)
    return partial(model, batch.input_ids)


def answer(output: Any) -> Tensor:
    """The logits (batch, seq, vocab) in what a model returned; the last hidden states of one without a head."""
    if isinstance(output, Mapping) and isinstance(output.get("logits"), Tensor):
        logits: Tensor = output["logits"]
        return logits
    return leaving(output)
