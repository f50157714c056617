"""Cutting: a corpus into chunks of texts of like length, so that little of a batch is padding.

The cut depends on the texts alone, never on who reads them or when: equal corpora give equal chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count, islice

from .corpus.text import Chunk, Text

ROWS = 32  # texts of a chunk
MOST = 8192  # tokens of a chunk with its padding
WINDOW = 1024  # texts sorted together


def chunks_of(texts: Iterable[Text], rows: int = ROWS, most: int = MOST, window: int = WINDOW) -> Iterator[Chunk]:
    """Lazily, window by window; in each the texts in order of length, equal ones as they came.

    A chunk has at most `rows` texts and at most `most` tokens when all are padded to its longest; a text longer than
    that is a chunk of its own.
    """
    numbers, left = count(), iter(texts)
    while near := sorted(islice(left, window), key=lambda text: len(text.ids)):
        for cut in _cuts(near, rows, most):
            yield Chunk(next(numbers), cut)


def _cuts(near: list[Text], rows: int, most: int) -> Iterator[tuple[Text, ...]]:
    start = 0
    for stop, text in enumerate(near):
        beside = stop - start
        if beside == rows or (beside and (beside + 1) * len(text.ids) > most):
            yield tuple(near[start:stop])
            start = stop
    yield tuple(near[start:])
