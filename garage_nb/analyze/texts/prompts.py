"""Prompts: several of them one by one, without their padding, so that each is answered as if it had come alone."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.batch import Batch, Prompt
from ...core.singly import singly
from ...errors import InputError
from ...registry.lift import Lifted
from .prompt import Words


def each_prompt(prompts: Prompt, lifted: Lifted) -> list[Batch]:
    """One batch of a single row a prompt, in their order. InputError for a mask with a hole in it."""
    return singly(prompts, lifted.model, lifted.tokenizer)


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
