"""Texts of random ids for what reads corpora, and batches of them padded on either side."""

from __future__ import annotations

from typing import Any

import torch

from garage_nb.core.batch import Batch, prepare
from garage_nb.fleet.corpus.text import Text


def texts(
    count: int, vocab: int = 64, longest: int = 20, seed: int = 0, labels: tuple[str, ...] = ("",)
) -> tuple[Text, ...]:
    """Of 2 to `longest` tokens; the labels in turn."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, longest + 1, (count,), generator=generator).tolist()
    ids = [tuple(torch.randint(3, vocab, (length,), generator=generator).tolist()) for length in lengths]
    return tuple(Text(f"line {row}", one, labels[row % len(labels)]) for row, one in enumerate(ids))


def padded(some: tuple[Text, ...], model: Any, side: str) -> Batch:
    longest = max(len(text.ids) for text in some)
    gaps = [[0] * (longest - len(text.ids)) for text in some]
    pairs = [(text.ids, gap) for text, gap in zip(some, gaps, strict=True)]
    ids = [[*gap, *own] if side == "left" else [*own, *gap] for own, gap in pairs]
    mask = [[*gap, *[1] * len(own)] if side == "left" else [*[1] * len(own), *gap] for own, gap in pairs]
    return prepare({"input_ids": ids, "attention_mask": mask}, model)
