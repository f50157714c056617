"""Half: items in one model's tokens, of which one half chooses neurons and the other tries what was chosen.

What is chosen by its effect on some items looks better on these than it is (selection bias): so no item is in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...core.batch import Batch
from ...core.run import logits
from ...core.seed import seeded
from ...core.vocabulary import vocab_size
from ...errors import InputError
from ...inject.edit import Edit
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ..judging.answer_losses import mean_answer_losses
from ..judging.exercise import Exercise
from ..judging.on_items import rows_for
from ..judging.sheets import Row, Sheet, sheets_by_length
from ..routers.quality import first_ways

LEAST = 4  # items of a domain: two to choose by and two to try


@dataclass(frozen=True, eq=False)
class Scores:
    """Log-probability of each item's answer, nats a token, and whether greedy decoding writes it."""

    log_probs: Float[Tensor, " items"]
    right: Bool[Tensor, " items"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Half:
    """`rows` are numbered from 0; `which` is the domain of each. `recipe` acts first, whatever is tried."""

    lifted: Lifted
    recipe: Recipe
    domains: tuple[str, ...]
    rows: Sequence[Row]
    which: Int[Tensor, " items"]

    @cached_property
    def sheets(self) -> list[Sheet]:
        """With room for the logits and for all neurons."""
        neurons = sum(part.intermediate_dim or 0 for part in self.lifted.spec.all_ffn_parts())
        return sheets_by_length(self.rows, vocab_size(self.lifted.model) + neurons)

    def batch(self, sheet: Sheet) -> Batch:
        return sheet.batch(self.lifted.model)

    def of(self, domain: int) -> Half:
        """Its items alone."""
        mine = (self.which == domain).nonzero()[:, 0].tolist()
        return replace(self, rows=_numbered([self.rows[place] for place in mine]), which=self.which[mine])

    def scores(self, edits: Sequence[Edit] = ()) -> Scores:
        """In the order of `rows`, with the edits in force. NotFiniteError for NaN and infinity."""
        recipe = Recipe((*self.recipe.edits, *edits))
        log_probs = torch.zeros(len(self.rows), dtype=torch.float64)
        right = torch.zeros(len(self.rows), dtype=torch.bool)
        for sheet in self.sheets:
            taps = recipe.taps(self.lifted.spec)
            found = logits(self.lifted.model, self.batch(sheet), taps, chain=self.lifted.spec.chain)
            log_probs[sheet.numbers] = -mean_answer_losses(found, sheet)
            right[sheet.numbers] = sheet.right(found.argmax(-1).cpu())
        return Scores(log_probs, right)


def halves(lifted: Lifted, exercises: Sequence[Exercise], recipe: Recipe, seed: int) -> tuple[Half, Half]:
    """To choose by, and to try: half of each domain's items, drawn by the seed. The first has the odd one.

    An item that can be answered in several ways is asked in the first; items that are then one text count once, in
    the domain that comes first, so that none is on both sides. InputError for a domain of too few items, and
    for what the model cannot read.
    """
    asked = first_ways(rows_for(lifted, exercises))
    domains = tuple(dict.fromkeys(one.domain for one in exercises))
    once = {row.tokens: row for row in reversed(asked)}
    rows = sorted(once.values(), key=lambda row: row.number)
    which = torch.tensor([domains.index(exercises[row.number].domain) for row in rows])
    counts = [int((which == place).sum()) for place in range(len(domains))]
    if min(counts) < LEAST:
        few = domains[counts.index(min(counts))]
        raise InputError(
            f"The domain {few!r} has {min(counts)} different items, which cannot be halved to choose and to try.",
            f"Give {LEAST} or more of each domain.",
        )
    generator, chosen = seeded(seed), torch.zeros(len(rows), dtype=torch.bool)
    for place, count in enumerate(counts):
        mine = (which == place).nonzero()[:, 0]
        chosen[mine[torch.randperm(count, generator=generator)[: -(-count // 2)]]] = True
    return tuple(  # type: ignore[return-value]
        Half(
            lifted=lifted,
            recipe=recipe,
            domains=domains,
            rows=_numbered([rows[place] for place in side.nonzero()[:, 0].tolist()]),
            which=which[side],
        )
        for side in (chosen, ~chosen)
    )


def _numbered(rows: Sequence[Row]) -> list[Row]:
    return [replace(row, number=number) for number, row in enumerate(rows)]
