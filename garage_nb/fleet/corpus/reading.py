"""Reading: the texts of a corpus as one model's tokens, in batches, and what is set aside because the model cannot
take it.

The rules and the ids are those of `core.batch.prepare`, text by text; there a text that breaks one is refused. Of an
encoder–decoder model these are what the encoder reads: `core.batch.with_start` gives its decoder the first token.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from ...core.batch import Limits
from ...errors import InputError
from ...plain import count
from ...registry.lift import Lifted
from .corpus import Corpus
from .entry import Entry
from .text import SetAside, Text, beginning

_TOGETHER = 256  # texts through the tokenizer at once


def texts_of(corpus: Corpus, lifted: Lifted) -> Iterator[Text | SetAside]:
    """In their order, read lazily. InputError for words where no tokenizer came with the model."""
    limits, entries = Limits.of(lifted.model), iter(corpus)
    while together := list(islice(entries, _TOGETHER)):
        yield from _read(together, lifted.tokenizer, limits)


def _read(together: list[Entry | SetAside], tokenizer: Any, limits: Limits) -> Iterator[Text | SetAside]:
    words = [one.said for one in together if isinstance(one, Entry) and isinstance(one.said, str)]
    ids = _tokenised([text for text in words if text.strip() and not _half(text)], tokenizer)
    for one in together:
        if isinstance(one, SetAside):
            yield one
        else:
            yield _text(one, ids.get(one.said, ()) if isinstance(one.said, str) else one.said, limits)


def _tokenised(words: list[str], tokenizer: Any) -> dict[str, tuple[int, ...]]:
    if words and tokenizer is None:
        raise InputError("The corpus holds texts, but no tokenizer came with this model.", "Give token ids.")
    found = tokenizer(words, verbose=False)["input_ids"] if words else []  # a long one is told by us, not by a warning
    return dict(zip(words, map(tuple, found), strict=True))


def _text(entry: Entry, ids: tuple[int, ...], limits: Limits) -> Text | SetAside:
    said = entry.said if isinstance(entry.said, str) else ""
    why = _half(said) or _half(entry.label) or _unfit(ids, limits)
    return SetAside(entry.where, why, beginning(said)) if why else Text(entry.where, ids, entry.label)


def _half(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"it holds half a character (U+{ord(text[error.start]):04X}) at position {error.start}"
    return ""


def _unfit(ids: tuple[int, ...], limits: Limits) -> str:
    """Why the model cannot read them, empty where it can."""
    if not ids:
        return "it is empty"
    if limits.positions is not None and len(ids) > limits.positions:
        return f"it has {count(len(ids), 'token')}; this model was made for {limits.positions:,}"
    wrong = next((one for one in (min(ids), max(ids)) if not 0 <= one < limits.vocab), None)
    return "" if wrong is None else f"token id {wrong} is out of this model's vocabulary of {limits.vocab:,}"
