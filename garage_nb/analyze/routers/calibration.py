"""Calibrating routers: are the experts that a router thinks likely those that answer better, and what would be gained?

Every expert of a layer is given all tokens, alone and in sets of as many as the router chooses (equal compute), and the
answers' losses are held against the routing probabilities, item by item, within each domain. Beside it stand ways to
choose that know nothing, and the best set of each item, which no router can know: the regret.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ...errors import EditError, InputError
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from ..judging.exercise import exercises_of
from .agreement import RELABELLINGS, agreement
from .calibrated import Calibrated, Calibration, Cell
from .quality import Quality, qualities
from .reading import routes_in
from .sets import MOST, sets_of
from .signed import signed


def calibration(
    lifted: Lifted,
    exercises: Sequence[Any],
    recipe: Recipe,
    layers: Selector = "gate_*",
    *,
    most_sets: int = MOST,
    relabellings: int = RELABELLINGS,
    seed: int = 0,
) -> Calibration:
    """Every router named, by items as `judge` takes them: a prompt, an answer, a domain.

    Runs 1 + experts + sets + 3 passes a router and sheet of items. EditError for a part that sends no tokens to
    experts and for a router that is no module of its own; InputError for items that cannot be read, and for no
    sets or relabellings.
    """
    for what, count, usual in (("sets", most_sets, MOST), ("relabellings", relabellings, RELABELLINGS)):
        if count < 1:
            raise InputError(f"Nothing can be told by {count} {what}.", f"Give 1 or more; usual are {usual}.")
    asked = exercises_of(exercises)
    routes = routes_in(lifted, layers)
    if lost := [route.ffn for route in routes if not route.gate]:
        raise EditError(f"The router of {lost[0]} is no module of its own.", "Name the gates that `parts` lists.")
    sets = [sets_of(route.experts, route.per_token, most=most_sets, seed=seed) for route in routes]
    natural, found = qualities(lifted, asked, recipe, routes, sets, seed)
    domains = tuple(dict.fromkeys(one.domain for one in asked))
    which = torch.tensor([domains.index(one.domain) for one in asked])
    everywhere = torch.ones(len(which), dtype=torch.bool)
    routers = {
        route.gate: Calibrated(
            quality=quality,
            whole=_cell(quality, everywhere, relabellings, seed),
            cells=tuple(_cell(quality, which == place, relabellings, seed) for place in range(len(domains))),
            signs=tuple(
                signed(quality.alone[mine] - natural[mine, None], seed=seed)
                for mine in (which == place for place in range(len(domains)))
            ),
        )
        for route, quality in zip(routes, found, strict=True)
    }
    return Calibration(
        model_id=lifted.spec.model_id, domains=domains, which=which, natural=natural, routers=routers, seed=seed
    )


def _cell(quality: Quality, mine: torch.Tensor, relabellings: int, seed: int) -> Cell:
    probability = quality.probability[mine]
    alone, in_sets = (
        agreement(probability, -losses[mine], relabellings=relabellings, seed=seed)
        for losses in (quality.alone, quality.in_sets)
    )
    return Cell(alone=alone, sets=in_sets)
