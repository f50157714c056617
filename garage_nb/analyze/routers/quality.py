"""Quality: the loss of answers when the tokens of one layer are sent where the router would not have sent them.

A loss is −log p of the tokens of the answer, nats a token, of each item for itself. All tokens of the item are sent
alike, by one edit at one router at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.progress import progress
from ...core.run import logits, read
from ...core.sites import Read
from ...core.stats import wide
from ...core.vocabulary import vocab_size
from ...inject.edit import Edit
from ...inject.recipe import Recipe
from ...inject.routing.experts import Experts
from ...inject.routing.isolate import Isolate
from ...inject.routing.reroute import WAYS, Reroute
from ...registry.lift import Lifted
from ...registry.routes import Route
from ..judging.answer_losses import mean_answer_losses
from ..judging.exercise import Exercise
from ..judging.on_items import rows_for
from ..judging.sheets import Row, Sheet, sheets_by_length
from .reading import logits_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Quality:
    """Of one router. Losses of every item; `sets` are those of `by_set`, `others` by how they were rerouted.

    probability  of the router's softmax over all experts, mean over the item's tokens, nothing being forced
    """

    probability: Float[Tensor, "items experts"]
    alone: Float[Tensor, "items experts"]
    sets: list[tuple[int, ...]]
    by_set: Float[Tensor, "items sets"]
    others: dict[str, Float[Tensor, " items"]]

    @property
    def in_sets(self) -> Float[Tensor, "items experts"]:
        """The mean over the sets that an expert is in; NaN for one that is in none."""
        experts = range(self.alone.shape[1])
        mine = [[place for place, one in enumerate(self.sets) if expert in one] for expert in experts]
        return torch.stack([self.by_set[:, places].mean(1) for places in mine], 1)


def qualities(
    lifted: Lifted,
    exercises: Sequence[Exercise],
    recipe: Recipe,
    routes: Sequence[Route],
    sets: Sequence[list[tuple[int, ...]]],
    seed: int,
) -> tuple[Float[Tensor, " items"], list[Quality]]:
    """The losses with nothing forced, and what each router was tried by. The recipe in force acts first.

    NotFiniteError for NaN and infinity.
    """
    rows, asked = (
        first_ways(rows_for(lifted, exercises)),
        [_asked(*pair, seed) for pair in zip(routes, sets, strict=True)],
    )
    read_in = sheets_by_length(rows, vocab_size(lifted.model))
    back = torch.cat([sheet.numbers for sheet in read_in]).argsort()  # into the order of the items
    found: list[list[Tensor]] = []  # of each sheet: probabilities and losses of every router
    with progress("sending tokens to experts", "pass", len(read_in) * (1 + sum(map(len, asked)))) as bar:
        for sheet in read_in:
            runs = list(_losses(lifted, sheet, recipe, [None, *(edit for edits in asked for edit in edits)], bar))
            found.append([torch.stack(runs, 1), *_probabilities(lifted, sheet, recipe, routes)])
    losses, *probabilities = (torch.cat(several)[back] for several in zip(*found, strict=True))
    shares = losses[:, 1:].split([len(edits) for edits in asked], dim=1)
    each = zip(routes, sets, shares, probabilities, strict=True)
    return losses[:, 0], [_quality(route, mine, share, one) for route, mine, share, one in each]


def _asked(route: Route, sets: list[tuple[int, ...]], seed: int) -> list[Edit]:
    """In the order in which `_quality` takes them apart."""
    alone: list[Edit] = [Isolate(route.gate, expert) for expert in range(route.experts)]
    return [*alone, *(Experts(route.gate, keep=one) for one in sets), *(Reroute(route.gate, how, seed) for how in WAYS)]


def _quality(route: Route, sets: list[tuple[int, ...]], losses: Tensor, probability: Tensor) -> Quality:
    alone, by_set, others = losses.split([route.experts, len(sets), len(WAYS)], dim=1)
    ways = dict(zip(WAYS, others.T, strict=True))
    return Quality(probability=probability, alone=alone, sets=sets, by_set=by_set, others=ways)


def _losses(
    lifted: Lifted, sheet: Sheet, recipe: Recipe, edits: Sequence[Edit | None], bar: object
) -> Iterator[Tensor]:
    batch = sheet.batch(lifted.model)
    for edit in edits:
        taps = (recipe if edit is None else recipe + edit).taps(lifted.spec)
        yield mean_answer_losses(logits(lifted.model, batch, taps, chain=lifted.spec.chain), sheet)
        bar.update()  # type: ignore[attr-defined]


def _probabilities(lifted: Lifted, sheet: Sheet, recipe: Recipe, routes: Sequence[Route]) -> list[Tensor]:
    """Mean over the tokens of each row, padding left out, (rows, experts) for every router."""
    found: dict[str, Tensor] = {}
    reads = []
    for route in routes:
        site = logits_of(lifted, route)
        assert site is not None

        def keep(hidden: Tensor, name: str = route.gate) -> None:
            found[name] = (
                hidden.detach().reshape(*sheet.ids.shape, -1).to(wide(hidden.device)).softmax(-1).cpu().double()
            )

        reads.append(Read(site, keep))
    read(lifted.model, sheet.batch(lifted.model), [*recipe.taps(lifted.spec), *reads], chain=lifted.spec.chain)
    mask = sheet.mask.double()[..., None]
    return [(found[route.gate] * mask).sum(1)[:, : route.experts] / mask.sum(1) for route in routes]


def first_ways(rows: Sequence[Row]) -> list[Row]:
    """An item that can be answered in several ways is asked in the first."""
    return list({row.number: row for row in reversed(rows)}.values())[::-1]
