"""Dealing: a ground whose items to fit on teach nothing: answers, or domains, go to items by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from ...analyze.judging.exercise import Exercise
from ...core.seed import seeded
from ..studies.ground import Ground, Pool


def dealt(ground: Ground, kind: str, seed: int) -> Ground:
    """A direction learns from domains, everything else from answers. As many of each as before."""
    fit = ground.fit
    if kind == "direction":
        return replace(ground, fit=_among_domains(fit, seed))
    return replace(ground, fit={**fit, ground.domain: _among_items(fit[ground.domain], seed)})


def _among_items(exercises: Sequence[Exercise], seed: int) -> list[Exercise]:
    """What follows the first prompt goes to another item."""
    order = torch.randperm(len(exercises), generator=seeded(seed)).tolist()
    pairs = zip(exercises, [exercises[place] for place in order], strict=True)
    return [replace(one, ways=((one.ways[0][0], *other.ways[0][1:]),)) for one, other in pairs]


def _among_domains(fit: Pool, seed: int) -> Pool:
    every = [one for several in fit.values() for one in several]
    order = iter(torch.randperm(len(every), generator=seeded(seed)).tolist())
    return {domain: [every[next(order)] for _ in several] for domain, several in fit.items()}
