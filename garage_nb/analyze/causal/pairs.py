"""Pairs: clean prompts and the corrupt ones that stand against them, token by token, and which tokens are patched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from ...core.batch import Batch, Prompt
from ...core.tokens import Tokens
from ...errors import InputError
from ...inject.sources import chosen_rows
from ...registry.lift import Lifted
from ..texts.prompt import Words, ids_of
from ..texts.prompts import each_prompt, said_each
from .contrast import Span

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Pair:
    """Two prompts of as many tokens, each with what it was said as."""

    clean: Batch
    corrupt: Batch
    texts: tuple[str, str]


def pairs_of(lifted: Lifted, clean: Prompt, corrupt: Prompt) -> list[Pair]:
    """InputError for lists of unlike length, and for two prompts that are: their tokens have no places in common."""
    first, second = each_prompt(clean, lifted), each_prompt(corrupt, lifted)
    if len(first) != len(second):
        raise InputError(
            f"{len(first)} clean and {len(second)} corrupt prompts were given.",
            "Give as many of both: each clean one stands against the corrupt one at its place.",
        )
    words = Words(lifted.tokenizer)
    texts = zip(said_each(clean, first, words), said_each(corrupt, second, words), strict=True)
    found = [Pair(a, b, said) for a, b, said in zip(first, second, texts, strict=True)]
    each_pair(found, lambda place, pair: _demand_alike(pair, words))
    return found


def each_pair(pairs: Sequence[Pair], ask: Callable[[int, Pair], T]) -> list[T]:
    """What is asked of one after the other. An InputError says which it is about, where there are several."""
    found = []
    for place, pair in enumerate(pairs):
        try:
            found.append(ask(place, pair))
        except InputError as error:
            if len(pairs) == 1:
                raise
            raise InputError(f"Pair {place}, counted from 0: {error.what}", error.hint) from None
    return found


def spans_of(given: Sequence[Pair], names: Sequence[str], tokens: str, words: Words) -> tuple[Span, ...]:
    """`each` token by itself, or which together. InputError for each token of pairs that are not equally long."""
    ids = [(ids_of(pair.clean, names).tolist(), ids_of(pair.corrupt, names).tolist()) for pair in given]
    lengths = sorted({len(clean) for clean, _ in ids})
    if tokens == "each":
        if len(lengths) > 1:
            raise InputError(
                f"The pairs have from {lengths[0]} to {lengths[-1]} tokens: not every place is there in all of them.",
                "Name tokens that all have: --tokens -1, or --tokens all; or give pairs of one length.",
            )
        return tuple(
            _span(str(at), [(clean[at], corrupt[at]) for clean, corrupt in ids], words) for at in range(*lengths)
        )
    said = "prompt" if tokens == "all" else tokens
    touched = [chosen_rows(torch.arange(len(clean))[:, None], Tokens(said))[:, 0].tolist() for clean, _ in ids]
    if any(len(places) > 1 for places in touched):
        return (Span(said),)
    alone = [(clean[at], corrupt[at]) for (clean, corrupt), (at,) in zip(ids, touched, strict=True)]
    return (_span(said, alone, words),)


def _span(said: str, ids: Sequence[tuple[int, int]], words: Words) -> Span:
    """With a token's text where it is the same in all pairs."""
    clean, corrupt = (set(column) for column in zip(*ids, strict=True))
    return Span(said, *("".join(words.of(found)) if len(found) == 1 else "" for found in (clean, corrupt)))


def _demand_alike(pair: Pair, words: Words) -> None:
    for stack, whose in (("decoder_input_ids", " for the decoder"), ("input_ids", "")):
        rows = [row[0].tolist() for batch in (pair.clean, pair.corrupt) if (row := getattr(batch, stack)) is not None]
        lengths = [len(row) for row in rows]
        if len(set(lengths)) > 1:
            told = f"The clean prompt has {lengths[0]} tokens{whose}, the corrupt one {lengths[1]}"
            raise InputError(
                f"{told}; {_apart(rows, words)}.",
                "Patching goes token by token: change words for others of as many tokens.",
            )


def _apart(rows: Sequence[Sequence[int]], words: Words) -> str:
    places = enumerate(zip(*rows, strict=False))
    found = next(((at, both) for at, both in places if len(set(both)) > 1), None)
    if found is None:
        return f"they are the same for {min(map(len, rows))}"
    at, both = found
    return "they differ first at token {}, {!r} for {!r}".format(at, *words.of(both))
