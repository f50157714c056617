"""Prompt: one text, or ids, that an answer with one column a token is about, and what its tokens are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...core.batch import Batch, Prompt, prepare
from ...core.parts import ENCODER, parse
from ...errors import InputError
from ...registry.lift import Lifted


@dataclass(frozen=True, eq=False)
class Words:
    """What tokens are called: their text, or their number where no tokenizer came with the model."""

    tokenizer: Any

    def of(self, ids: Iterable[int]) -> tuple[str, ...]:
        return tuple(str(one) if self.tokenizer is None else self.tokenizer.decode([one]) for one in ids)

    def number(self, text: str) -> int:
        """InputError for what is not one token."""
        if self.tokenizer is None:
            raise InputError(f"{text!r} cannot be looked up: no tokenizer came with this model.", "Load it with one.")
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) != 1:
            raise InputError(f"{text!r} is {len(ids)} tokens.", "Give one token; most words begin with a space.")
        return int(ids[0])


def one_prompt(prompt: Prompt, lifted: Lifted) -> Batch:
    """InputError for several at once: their tokens do not stand in one row."""
    batch = prepare(prompt, lifted.model, lifted.tokenizer)
    if batch.input_ids.shape[0] != 1 or batch.padding is not None:
        raise InputError("One prompt without padding was expected.", "Ask for one text after the other.")
    return batch


def read_ids(batch: Batch) -> Tensor:
    """(seq,): what the stack with the head reads; in an encoder–decoder model what was written so far."""
    return (batch.input_ids if batch.decoder_input_ids is None else batch.decoder_input_ids)[0]


def ids_of(batch: Batch, names: Sequence[str]) -> Tensor:
    """(seq,): what the stack of these parts reads. InputError for parts of both: one's tokens are not the other's."""
    stacks = {address.stack for name in names if (address := parse(name)) is not None}
    if len(stacks) > 1:
        raise InputError("Parts of the encoder and of the decoder read different tokens.", "Name those of one of them.")
    return batch.input_ids[0] if stacks == {ENCODER} else read_ids(batch)


def said(prompt: Prompt, batch: Batch, words: Words) -> str:
    """The prompt as it is written above an answer."""
    return prompt if isinstance(prompt, str) else " ".join(words.of(batch.input_ids[0].tolist()))
