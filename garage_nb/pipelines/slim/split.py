"""Split: texts that choose, texts that decide how far to go, and texts that are looked at once, at the end.

By a hash of a text's tokens, so that a text is on one side whatever stands beside it and however often.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ...analyze.texts.domains import Domains, texts_by_domain
from ...core.batch import Batch, Prompt, batch_of
from ...errors import InputError
from ...registry.lift import Lifted

PARTS = ("choosing", "validation", "test")
FEWEST = 5  # texts of each part

Some = dict[str, dict[str, Tensor]]  # token ids and masks by domain, as a tokenizer gives them


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """No text is in two of them."""

    choosing: Some
    validation: Some
    test: Some


def split(lifted: Lifted, texts: Prompt | Domains, seed: int) -> Split:
    """A third each, more or less; another third of them for another seed. InputError for too few."""
    found: list[dict[str, dict[tuple[int, ...], Batch]]] = [{} for _ in PARTS]
    for domain, batches in texts_by_domain(lifted, texts).items():
        for batch in batches:
            ids = tuple(batch.input_ids[0].tolist())
            found[_part(ids, seed)].setdefault(domain, {})[ids] = batch
    counts = [sum(map(len, one.values())) for one in found]
    if min(counts) < FEWEST:
        said = ", ".join(f"{count} for {part}" for count, part in zip(counts, PARTS, strict=True))
        raise InputError(f"{sum(counts)} texts are too few: {said}.", f"Give {10 * FEWEST} different ones or more.")
    parts = ({domain: batch_of(list(some)).inputs() for domain, some in one.items()} for one in found)
    return Split(**dict(zip(PARTS, parts, strict=True)))


def _part(ids: Sequence[int], seed: int) -> int:
    digest = hashlib.sha256(f"{seed}:{','.join(map(str, ids))}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % len(PARTS)
