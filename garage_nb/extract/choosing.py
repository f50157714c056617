"""Choosing how units are taken: cut out where that gives the same as the whole part with the other units masked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..core.seed import seeded
from ..errors import GarageError, UnsupportedModelError
from .cut import Uncuttable
from .description import Form
from .part import ExtractedPart
from .proof import agree, refusal


def cut_or_masked(made: Callable[[Form], ExtractedPart], said: str) -> ExtractedPart:
    """`made` makes the part in either form, `said` is what it is called. A masked one says why it was not cut.

    UnsupportedModelError for what can be neither.
    """
    try:
        masked = made(Form.MASKED)
    except Uncuttable as error:
        raise UnsupportedModelError(f"{said} cannot be taken out: {error}.", "Take the whole part out.") from None
    try:
        cut = made(Form.CUT)
        if _agree(cut, masked):
            return cut
        why = "cut out it gives something else"
    except Uncuttable as error:
        why = str(error)
    masked.description = replace(masked.description, unlike=why)
    return masked


@torch.no_grad()
def _agree(cut: ExtractedPart, masked: ExtractedPart) -> bool:
    hidden = _hidden(masked)
    try:
        expected = masked(hidden)
    except GarageError:
        raise
    except Exception as error:  # whatever a stranger's module raises is the reason
        raise refusal(masked, f"it raises {type(error).__name__}") from error
    try:
        return agree(cut(hidden), expected).holds
    except GarageError:
        raise
    except Exception as error:  # whatever a family's own code makes of fewer heads
        raise Uncuttable(f"cut out it raises {type(error).__name__}") from error


def _hidden(part: ExtractedPart) -> Tensor:
    """Seeded hidden states for a part: two rows, for what is folded with heads shows in the second only."""
    known, weight = part.description, next(part.parameters())
    drawn = torch.randn(2, min(8, known.max_seq_len or 8), known.input_dim, generator=seeded(0))
    return drawn.to(weight.device, weight.dtype)
