"""Step: one token that was written in a debate, and what each of its perspectives would have said in its place."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

from jaxtyping import Float
from torch import Tensor

from ...core.stats import exact
from .held import Held

TOP = 5  # likeliest tokens that are kept of each stream


@dataclass(frozen=True)
class Said:
    """What one stream would say next: the likeliest tokens, best first, and their probabilities. Words are None without
    a tokenizer.
    """

    ids: tuple[int, ...]
    words: tuple[str | None, ...]
    shares: tuple[float, ...]

    @property
    def spelt(self) -> tuple[str, ...]:
        """Words, or numbers where there are none."""
        return tuple(str(one) if word is None else word for one, word in zip(self.ids, self.words, strict=True))


@dataclass(frozen=True, kw_only=True)
class Step:
    """One token that was written, and what n perspectives would have said.

    `apart[i][j]` is KL(i ‖ j) in nats, `cosines` are those of each pair where they met, `shares` how much each counted,
    `likeness` the cosine of each with the model's own stream at every layer from parting to meeting; all at the last
    token read.
    """

    reconciled: Said
    perspectives: tuple[Said, ...]
    apart: tuple[tuple[float, ...], ...]
    cosines: tuple[float, ...]
    shares: tuple[float, ...]
    likeness: tuple[tuple[float, ...], ...]

    @property
    def id(self) -> int:
        return self.reconciled.ids[0]

    @property
    def word(self) -> str | None:
        return self.reconciled.words[0]

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(one.ids[0] for one in self.perspectives)

    @property
    def words(self) -> tuple[str | None, ...]:
        return tuple(one.words[0] for one in self.perspectives)

    @property
    def agreed(self) -> bool:
        """Whether all of them would have said what was written."""
        return set(self.ids) == {self.id}

    @property
    def divergences(self) -> tuple[float, ...]:
        """KL(0 ‖ 1), KL(1 ‖ 0), KL(0 ‖ 2), …"""
        pairs = combinations(range(len(self.shares)), 2)
        return tuple(kl for a, b in pairs for kl in (self.apart[a][b], self.apart[b][a]))


def step_of(tokenizer: Any, found: Held) -> Step:
    """Of a pass over one text, at its last token."""
    reconciled, *perspectives = [_said(tokenizer, one[0, -1]) for one in (found.reconciled, *found.perspectives)]
    return Step(
        reconciled=reconciled,
        perspectives=tuple(perspectives),
        apart=tuple(tuple(map(float, row)) for row in found.divergences[:, :, 0, -1]),
        cosines=tuple(map(float, found.cosines[:, 0, -1])),
        shares=tuple(map(float, found.shares[:, 0, -1])),
        likeness=tuple(tuple(map(float, row)) for row in found.likeness[:, :, 0, -1]),
    )


def _said(tokenizer: Any, logits: Float[Tensor, " vocab"]) -> Said:
    """The likeliest first; of equal ones the lower id, as argmax has it."""
    shares, ids = exact(logits).softmax(dim=-1).sort(descending=True, stable=True)
    best = ids[:TOP].tolist()
    words = tuple(None if tokenizer is None else tokenizer.decode([one]) for one in best)
    return Said(tuple(best), words, tuple(shares[:TOP].tolist()))
