"""Pathways: which neurons harm the answers of a domain, chosen on half of the items and tried on the other half.

Effects of neurons do not add up: so all that were chosen are taken away together as well, beside as many drawn at
random from the same parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ...core.seed import seeded
from ...errors import InputError
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from ..judging.exercise import exercises_of
from ..texts.domains import with_neurons
from .activity import activity
from .answer import FoundPathways
from .effects import Effects, Fills, ablated, estimated
from .half import Half, halves
from .harmful import harmful
from .removal import removal
from .sample import Neuron, Sample

SAMPLED = 32  # neurons that are taken away one by one
FILLS, METHODS = ("zero", "mean"), ("estimate", "exact")


def pathways(
    lifted: Lifted,
    exercises: Sequence[Any],
    recipe: Recipe,
    layers: Selector = "ffn_*",
    *,
    fill: str = "zero",
    method: str = "estimate",
    sampled: int = SAMPLED,
    seed: int = 0,
) -> FoundPathways:
    """By items as `judge` takes them: a prompt, an answer, a domain; four or more of each domain.

    Neurons that go are 0, or their `mean` over the tokens of the choosing half. The `estimate` tells the effects of all
    neurons by one pass forth and one back a sheet, and `sampled` of them are taken away one by one to see how far it is
    right; `exact` takes every neuron away by itself. InputError for items that cannot be read or halved and for parts
    without neurons, UnsupportedModelError where no gradient comes back.
    """
    for asked, known in ((fill, FILLS), (method, METHODS)):
        if asked not in known:
            raise InputError(f"There is no {asked!r} here.", f"There are: {', '.join(known)}.")
    parts = with_neurons(lifted, layers)
    choosing, testing = halves(lifted, exercises_of(exercises), recipe, seed)
    active = activity(choosing, parts)
    fills = {name: one.mean for name, one in active.items()} if fill == "mean" else {}
    neurons = [(name, number) for name in parts for number in range(len(active[name].mean))]
    first, second = (_effects(half, parts, neurons, fills, method) for half in (choosing, testing))
    harm = harmful(first, second)
    drawn = _drawn(neurons, sampled if method == "estimate" else 0, seed)
    return FoundPathways(
        model_id=lifted.spec.model_id,
        domains=choosing.domains,
        method=method,
        fills=fills,
        choosing=first,
        testing=second,
        harm=harm,
        sample=Sample.of(drawn, first, ablated(choosing, drawn, fills)) if drawn else None,
        which=testing.which,
        removal=removal(testing, {name: one.chosen for name, one in harm.items()}, fills, seed),
        seed=seed,
    )


def _effects(
    half: Half, parts: Sequence[str], neurons: Sequence[Neuron], fills: Fills, method: str
) -> dict[str, Effects]:
    if method == "estimate":
        return estimated(half, parts, fills)
    sizes = [sum(of == name for of, _ in neurons) for name in parts]
    return dict(zip(parts, ablated(half, neurons, fills).split(sizes), strict=True))


def _drawn(neurons: Sequence[Neuron], count: int, seed: int) -> list[Neuron]:
    order = torch.randperm(len(neurons), generator=seeded(seed))[:count]
    return [neurons[place] for place in order.tolist()]
