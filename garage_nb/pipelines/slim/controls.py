"""Controls: as much taken out at random, which says what choosing was worth."""

from __future__ import annotations

from itertools import combinations
from math import comb

import torch

from ...compose.combining.variants import with_layers
from ...compose.layout.donors import opened
from ...compose.slicing.sliced import sliced
from ...core.seed import seeded
from ...inject.mask import Kept
from ...registry.lift import Lifted, lift
from ...registry.part_spec import PartType

DRAWS = 3
_FEW = 10_000  # sets of layers that are written out one by one


def at_random(lifted: Lifted, layers: list[int], kept: Kept, seed: int) -> dict[str, Lifted]:
    """By name. As many layers and neurons stay; sets of layers differ from each other and from the chosen one, as far
    as there are so many.
    """
    base, found = opened("base", lifted), {}
    for number, some in enumerate(_layers(lifted.spec.num_layers, layers, seed), start=1):
        left = lift(with_layers(base, some), tokenizer=lifted.tokenizer)
        neurons = _neurons(left, kept, seed + number)
        found[f"random {number}"] = lift(sliced(left, neurons), tokenizer=lifted.tokenizer) if kept else left
    return found


def _layers(count: int, chosen: list[int], seed: int) -> list[list[int]]:
    if len(chosen) == count:
        return [chosen] * DRAWS
    generator, found = seeded(seed), list[list[int]]()
    if comb(count, len(chosen)) <= _FEW:
        others = [list(some) for some in combinations(range(count), len(chosen)) if list(some) != chosen]
        return [others[place] for place in torch.randperm(len(others), generator=generator)[:DRAWS].tolist()]
    while len(found) < DRAWS:
        some = sorted(torch.randperm(count, generator=generator)[: len(chosen)].tolist())
        if some != chosen and some not in found:
            found.append(some)
    return found


def _neurons(lifted: Lifted, kept: Kept, seed: int) -> Kept:
    if not kept:
        return {}
    stay, generator = len(next(iter(kept.values()))), seeded(seed)
    parts = lifted.spec.parts
    wide = {name: part.intermediate_dim or 0 for name, part in parts.items() if part.part_type is PartType.FFN}
    return {name: sorted(torch.randperm(count, generator=generator)[:stay].tolist()) for name, count in wide.items()}
