"""What generate and compare ask of a prompt and of the model's answer: both end in words."""

from __future__ import annotations

from torch import Tensor

from ..core.batch import Batch, prepare
from ..errors import InputError, NotFiniteError
from ..registry.lift import Lifted


def one_text(prompt: str, lifted: Lifted) -> Batch:
    """InputError for ids or several texts: the answer to them could not be shown."""
    if not isinstance(prompt, str):
        raise InputError(f"One text was expected, not {type(prompt).__name__}.", "Token ids can be captured.")
    return prepare(prompt, lifted.model, lifted.tokenizer)


def demand_finite(logits: Tensor) -> None:
    """NotFiniteError: the likeliest of NaNs would look like any other token."""
    if not bool(logits.isfinite().all()):
        raise NotFiniteError(
            "The model's answer holds NaN or infinity.",
            "Take the last edit back, or load the model in float32; `capture` names the first such place.",
        )
