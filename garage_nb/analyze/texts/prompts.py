"""Prompts: several of them one by one, without their padding, so that each is answered as if it had come alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...core.batch import Batch, Prompt, prepare
from ...errors import InputError
from ...registry.lift import Lifted
from .prompt import Words


def each_prompt(prompts: Prompt, lifted: Lifted) -> list[Batch]:
    """One batch of a single row a prompt, in their order. InputError for a mask with a hole in it."""
    batch = prepare(prompts, lifted.model, lifted.tokenizer)
    return [_alone(batch, row) for row in range(batch.input_ids.shape[0])]


def single_prompt(prompt: Prompt, lifted: Lifted, what: str) -> Batch:
    """InputError for several where one was needed."""
    found = each_prompt(prompt, lifted)
    if len(found) != 1:
        raise InputError(f"{len(found)} prompts were given as the {what} one.", "Give one text, or its token ids.")
    return found[0]


def said_each(prompts: Prompt, batches: Sequence[Batch], words: Words) -> tuple[str, ...]:
    """The prompts as they are written above an answer."""
    if isinstance(prompts, str):
        return (prompts,)
    if isinstance(prompts, Sequence) and all(isinstance(text, str) for text in prompts):
        return tuple(map(str, prompts))
    return tuple(" ".join(words.of(batch.input_ids[0].tolist())) for batch in batches)


def said_together(prompts: Prompt, batches: Sequence[Batch], words: Words) -> str:
    """All of them in one line: the first, and how many more there are."""
    first, *rest = said_each(prompts, batches, words)
    return f"{first} and {len(rest)} more" if rest else first


def _alone(batch: Batch, row: int) -> Batch:
    real = batch.attention_mask[row].nonzero()[:, 0]
    if int(real[-1] - real[0]) + 1 != len(real):
        raise InputError("The mask hides tokens inside a prompt.", "Hide padding only, before or behind the tokens.")
    ids = batch.input_ids[row, real][None]
    written = None if batch.decoder_input_ids is None else batch.decoder_input_ids[row : row + 1]
    return Batch(ids, torch.ones_like(ids), decoder_input_ids=written)
