"""Routed: what routers did with the tokens of each row, as readings of an arm."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ...analyze.routers.reading import logits_of
from ...core.batch import Batch
from ...core.run import read
from ...core.sites import Read, Site, Tap
from ...core.stats import wide
from ...errors import EditError
from ...inject.edit import Edit
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ...registry.routes import Route, routes
from .papers import Reading


def gates_of(lifted: Lifted) -> list[Route]:
    """Routers that are modules of their own. EditError for a model without one."""
    found = [route for route in routes(lifted.spec) if route.gate]
    if not found:
        raise EditError(
            f"No router of {lifted.spec.model_id} is a module of its own.", "Take one with gates: showroom-moe."
        )
    return found


def shares(lifted: Lifted, route: Route, batch: Batch, edits: Sequence[Edit] = ()) -> Float[Tensor, "rows experts"]:
    """Of a row's tokens, padding left out, what share goes to each expert: k of them sum to k."""
    return _mean((_seen(lifted, route.at, batch, edits) != 0).double(), batch)


def share(lifted: Lifted, route: Route, expert: int, *edits: Edit) -> Reading:
    """Of one expert, under the edits."""
    return lambda batch: shares(lifted, route, batch, edits)[:, expert]


def gain(lifted: Lifted, route: Route, expert: int, *edits: Edit) -> Reading:
    """By how much the edits raise it."""

    def reading(batch: Batch) -> Tensor:
        return shares(lifted, route, batch, edits)[:, expert] - shares(lifted, route, batch)[:, expert]

    return reading


def probability(lifted: Lifted, several: Sequence[Route], *edits: Edit) -> Reading:
    """What the routers would give, untouched, to the experts that answer under the edits: the sum over these of the
    router's softmax over all experts, mean over the tokens of a row and over the routers.
    """

    def reading(batch: Batch) -> Tensor:
        return torch.stack([_probability(lifted, route, batch, edits) for route in several]).mean(0)

    return reading


def _probability(lifted: Lifted, route: Route, batch: Batch, edits: Sequence[Edit]) -> Float[Tensor, " rows"]:
    site = logits_of(lifted, route)
    assert site is not None
    before = _seen(lifted, site, batch, ())[:, : route.experts]
    answers = (_seen(lifted, route.at, batch, edits) != 0).double()
    return _mean(before.to(wide(before.device)).softmax(-1).cpu().double() * answers, batch).sum(1)


def _seen(lifted: Lifted, site: Site, batch: Batch, edits: Sequence[Edit]) -> Float[Tensor, "tokens experts"]:
    """Behind the edits, on the host."""
    kept: list[Tensor] = []
    seen = Read(site, lambda hidden: kept.append(hidden.detach().cpu()))
    taps: list[Tap] = [*Recipe(tuple(edits)).taps(lifted.spec), seen]
    read(lifted.model, batch, taps, chain=lifted.spec.chain)
    return kept[-1].reshape(-1, kept[-1].shape[-1])


def _mean(each: Float[Tensor, "tokens experts"], batch: Batch) -> Float[Tensor, "rows experts"]:
    """Over the real tokens of every row."""
    mask = batch.attention_mask.cpu().double()[..., None]
    return (each.reshape(*mask.shape[:2], -1) * mask).sum(1) / mask.sum(1)
