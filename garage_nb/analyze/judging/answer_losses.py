"""Answer losses: −log p of the tokens that count on a sheet, summed over each row."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.stats import wide
from ...errors import NotFiniteError
from .sheets import Sheet


def answer_losses(answered: Float[Tensor, "rows seq vocab"], sheet: Sheet) -> Float[Tensor, " rows"]:
    """In nats, in float64 on the host. NotFiniteError for NaN and infinity."""
    counted = sheet.answers[:, 1:]
    rows, places = counted.nonzero(as_tuple=True)
    said = answered[rows.to(answered.device), places.to(answered.device)].to(wide(answered.device))
    right = sheet.ids[:, 1:][counted].to(said.device)
    each = torch.nn.functional.cross_entropy(said, right, reduction="none").cpu().double()
    if not bool(each.isfinite().all()):
        raise NotFiniteError("The logits hold NaN or infinity.", "Take the last edit back, or load in float32.")
    return torch.zeros(len(counted), dtype=torch.float64).index_add_(0, rows, each)


def mean_answer_losses(answered: Float[Tensor, "rows seq vocab"], sheet: Sheet) -> Float[Tensor, " rows"]:
    """The same a token."""
    return answer_losses(answered, sheet) / sheet.answers[:, 1:].sum(1)
