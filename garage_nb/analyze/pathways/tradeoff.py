"""Trade-off: what answers are worth when a share of the feed-forwards' neurons is kept, chosen in several ways.

Neurons are chosen by one half of each domain's items, and each domain of the other half is answered with those chosen
for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ...core.progress import progress
from ...errors import InputError
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from ..judging.exercise import exercises_of
from ..texts.domains import with_neurons
from .activity import activity, reach
from .arms import Grounds, arms
from .effects import estimated
from .half import Half, Scores, halves
from .keeping import counted
from .pathways import FILLS
from .tradeoff_curves import TradeoffCurves


def tradeoff(
    lifted: Lifted,
    exercises: Sequence[Any],
    recipe: Recipe,
    layers: Selector = "ffn_*",
    *,
    keep: Sequence[float],
    fill: str = "zero",
    seed: int = 0,
) -> TradeoffCurves:
    """By items as `judge` takes them, four or more of each domain; `keep` are shares of every part's neurons.

    Errors as of `pathways`, and InputError for shares that are none.
    """
    if fill not in FILLS:
        raise InputError(f"There is no {fill!r} here.", f"There are: {', '.join(FILLS)}.")
    if not keep:
        raise InputError("No shares were given.", "Give some above 0 and up to 1: 0.15,0.3,0.5,0.7.")
    parts, shares = with_neurons(lifted, layers), sorted(set(keep))
    counts = [[counted(lifted.spec.parts[name].intermediate_dim or 0, share) for name in parts] for share in shares]
    choosing, testing = halves(lifted, exercises_of(exercises), recipe, seed)
    active = activity(choosing, parts)
    grounds = Grounds(
        effects=estimated(choosing, parts, {name: one.mean for name, one in active.items()} if fill == "mean" else {}),
        active=active,
        reach={name: reach(lifted, name) for name in parts},
        fill=fill,
        domains=len(choosing.domains),
        seed=seed,
    )
    found = _runs(testing, grounds, shares)
    return TradeoffCurves(
        model_id=lifted.spec.model_id,
        arms=tuple(arms(grounds)),
        parts=tuple(parts),
        fill=fill,
        shares=tuple(sum(row) / sum(len(grounds.reach[name]) for name in parts) for row in counts),
        items=len(choosing.rows),
        domains=choosing.domains,
        which=testing.which,
        dense=testing.scores(),
        log_probs=found[0],
        right=found[1],
        seed=seed,
    )


def _runs(half: Half, grounds: Grounds, shares: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities, and how often each item was right, (arms, shares, items); means over draws."""
    ways = arms(grounds)
    log_probs = torch.zeros(len(ways), len(shares), len(half.rows), dtype=torch.float64)
    right = torch.zeros_like(log_probs)
    with progress("keeping some neurons", "domain", grounds.domains * len(ways)) as bar:
        for domain in range(grounds.domains):
            mine, alone = half.which == domain, half.of(domain)
            for arm, way in enumerate(ways.values()):
                for place, share in enumerate(shares):
                    runs: list[Scores] = [alone.scores(edits) for edits in way(grounds, domain, share)]
                    log_probs[arm, place, mine] = torch.stack([run.log_probs for run in runs]).mean(0)
                    right[arm, place, mine] = torch.stack([run.right.double() for run in runs]).mean(0)
                bar.update()
    return log_probs, right
