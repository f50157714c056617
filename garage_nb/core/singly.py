"""Singly: several prompts one by one, without their padding, so that each is read as if it had come alone."""

from __future__ import annotations

from typing import Any

import torch

from ..errors import InputError
from .batch import Batch, Prompt, prepare


def singly(prompts: Prompt, model: Any, tokenizer: Any) -> list[Batch]:
    """One batch of a single row a prompt, in their order. InputError for a mask with a hole in it."""
    batch = prepare(prompts, model, tokenizer)
    return [_alone(batch, row) for row in range(batch.input_ids.shape[0])]


def _alone(batch: Batch, row: int) -> Batch:
    real = batch.attention_mask[row].nonzero()[:, 0]
    if int(real[-1] - real[0]) + 1 != len(real):
        raise InputError("The mask hides tokens inside a prompt.", "Hide padding only, before or behind the tokens.")
    ids = batch.input_ids[row, real][None]
    written = None if batch.decoder_input_ids is None else batch.decoder_input_ids[row : row + 1]
    return Batch(ids, torch.ones_like(ids), decoder_input_ids=written)
