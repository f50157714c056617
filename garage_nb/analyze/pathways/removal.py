"""Removal: what becomes of every item when all neurons chosen for a domain go at once, and when as many others do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...core.progress import progress
from ...core.seed import seeded
from ...inject.mask import Mask
from .effects import Fills
from .half import Half

DRAWS = 3  # of neurons at random


@dataclass(frozen=True, eq=False)
class Removal:
    """Changes of log-probability, nats a token, of every item of the testing half; NaN where none was chosen.

    `random` is the mean over draws of as many neurons of each part.
    """

    together: Float[Tensor, "domains items"]
    random: Float[Tensor, "domains items"]


def removal(half: Half, chosen: Mapping[str, Bool[Tensor, "domains neurons"]], fills: Fills, seed: int) -> Removal:
    before, generator = half.scores().log_probs, seeded(seed)
    none = torch.full_like(before, torch.nan)
    together, random = [], []
    with progress("taking chosen neurons away", "domain", len(half.domains)) as bar:
        for domain in range(len(half.domains)):
            mine = {name: one[domain] for name, one in chosen.items() if bool(one[domain].any())}
            drawn = [{name: _drawn(one, generator) for name, one in mine.items()} for _ in range(DRAWS)]
            runs = [half.scores(_masks(one, fills)).log_probs - before for one in (mine, *drawn)] if mine else [none]
            together.append(runs[0])
            random.append(torch.stack(runs[1:]).mean(0) if mine else none)
            bar.update()
    return Removal(torch.stack(together), torch.stack(random))


def _masks(gone: Mapping[str, Bool[Tensor, " neurons"]], fills: Fills) -> Sequence[Mask]:
    return [Mask(name, drop=one.nonzero()[:, 0].tolist(), fill=fills.get(name)) for name, one in gone.items()]


def _drawn(one: Bool[Tensor, " neurons"], generator: torch.Generator) -> Bool[Tensor, " neurons"]:
    """As many."""
    order = torch.randperm(len(one), generator=generator)
    return one[order]
