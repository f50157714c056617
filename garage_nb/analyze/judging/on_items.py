"""On items: which exercises each model answers right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from ...core.batch import prepare
from ...core.next_token import demand_predicts
from ...core.progress import progress
from ...core.vocabulary import vocab_size
from ...errors import InputError, NotFiniteError, UnsupportedModelError
from ...registry.lift import Lifted
from .exercise import Exercise
from .lineup import Lineup
from .sheets import Encode, Row, rows_in_room, rows_of, sheets, solved


@dataclass(frozen=True, eq=False, kw_only=True)
class OnItems:
    """`right` by model and exercise; `domains` are the exercises' own."""

    domains: tuple[str, ...]
    right: Bool[Tensor, "models exercises"]


def on_items(lineup: Lineup, exercises: Sequence[Exercise], read: Sequence[Sequence[Row]]) -> OnItems:
    """`read` are the rows of the exercises for each model, those of an ensemble's all the same."""
    size = _size(lineup, read)
    order = sorted(range(len(read[0])), key=lambda place: len(read[0][place].tokens))  # little padding
    asked = [sheets([rows[place] for place in order], size) for rows in read]
    right: list[list[Tensor]] = [[] for _ in lineup.names]
    with progress("judging by items", "sheet", len(asked[0])) as bar:
        for several in zip(*asked, strict=True):
            answers = lineup.logits(
                [sheet.batch(one.model) for sheet, one in zip(several, lineup.lifted.values(), strict=True)]
            )
            for place, (logits, reader) in enumerate(zip(answers, lineup.readers, strict=True)):
                right[place].append(several[reader].right(_likeliest(logits)))
            bar.update()
    pairs = zip(right, lineup.readers, strict=True)
    found = [solved(mine, asked[reader], len(exercises)) for mine, reader in pairs]
    return OnItems(domains=tuple(one.domain for one in exercises), right=torch.stack(found))


def rows_for(lifted: Lifted, exercises: Sequence[Exercise]) -> list[Row]:
    """InputError without a tokenizer, for an answer that takes no token, and for an exercise that is too long.

    UnsupportedModelError for a model that predicts no next token, or reads a text apart from what it writes.
    """
    demand_predicts(lifted.model)
    if lifted.tokenizer is None:
        raise InputError(f"No tokenizer came with {lifted.spec.model_id}.", "Load it with one, or judge by texts only.")
    if getattr(getattr(lifted.model, "config", None), "is_encoder_decoder", False):
        raise UnsupportedModelError(
            f"{lifted.spec.model_id} reads a text apart from what it writes.", "Judge it by texts, or a decoder."
        )
    found = rows_of(_encoder(lifted), exercises)
    for row in found:
        if not any(row.answers):
            said = exercises[row.number].text
            raise InputError(f"{lifted.spec.model_id} needs no token for the answer of {said!r}.", "Leave it out.")
    prepare(torch.tensor([max((row.tokens for row in found), key=len)]), lifted.model)
    return found


def _encoder(lifted: Lifted) -> Encode:
    def encode(text: str, is_start: bool) -> list[int]:
        return list(lifted.tokenizer(text, add_special_tokens=is_start)["input_ids"])

    return encode


def _size(lineup: Lineup, read: Sequence[Sequence[Row]]) -> int:
    """Rows of which the logits of every model fit in the room."""
    pairs = zip(lineup.lifted.values(), read, strict=True)
    return min(rows_in_room(rows, vocab_size(one.model)) for one, rows in pairs)


def _likeliest(logits: Tensor) -> Tensor:
    """On the host. NotFiniteError for NaN, whose likeliest would look like any other token."""
    if bool(logits.isnan().any()):
        raise NotFiniteError("The logits hold NaN.", "Take the last edit back, or load in float32.")
    return logits.argmax(-1).cpu()
