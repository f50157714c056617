"""Neurons: as many taken out of every feed-forward as is allowed, those first that write least.

What a neuron writes is told by mean |activation| · norm of its output weights over the choosing texts, after Sun et
al., "A Simple and Effective Pruning Approach for Large Language Models", 2023 (Wanda), with a neuron for a weight. A
config knows one width for all layers, so as many go in each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ...analyze.judging.paper import Paper
from ...analyze.judging.sheets import Row
from ...analyze.pathways.activity import activity, reach
from ...analyze.pathways.half import Half
from ...compose.slicing.sliced import sliced
from ...core.progress import progress
from ...core.sites import Write
from ...inject.mask import Kept, Mask
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ...registry.part_spec import PartType
from .ground import Ground, Step


def neurons_left(ground: Ground, lifted: Lifted) -> tuple[Kept, list[Step]]:
    """The neurons that stay by feed-forward, empty where all do, and what was tried, from the fewest on.

    `lifted` is what is left of the model so far. The number that goes is searched by halves: that the loss rises with
    it is taken for granted, and every number that is kept was validated. BuildError or EditError for a model whose
    feed-forwards cannot be made narrower.
    """
    sliced(lifted, {name: [0] for name in _ffns(lifted)})  # refuses before anything is read
    ranked = ranking(lifted, ground.choosing)
    width = min(map(len, ranked.values()))
    steps: dict[int, Step] = {}
    low, high = 0, width  # so many are allowed, so many are not
    with progress("taking neurons out", "try") as bar:
        while high - low > 1:
            count = (low + high) // 2
            steps[count] = _tried(ground, lifted, ranked, count, width)
            low, high = (count, high) if steps[count].allowed else (low, count)
            bar.update()
    return (staying(ranked, low) if low else {}), [steps[count] for count in sorted(steps)]


def ranking(lifted: Lifted, paper: Paper) -> dict[str, list[int]]:
    """All neurons of every feed-forward, those that write least first."""
    return {name: found.argsort(stable=True).tolist() for name, found in written(lifted, paper).items()}


def staying(ranked: Mapping[str, Sequence[int]], count: int) -> Kept:
    """All but the first so many, in their own order."""
    return {name: sorted(neurons[count:]) for name, neurons in ranked.items()}


def written(lifted: Lifted, paper: Paper) -> dict[str, Float[Tensor, " neurons"]]:
    """Mean |activation| over the tokens of the paper's texts, times the norm of the neuron's output weights."""
    active = activity(_half(lifted, paper), _ffns(lifted))
    return {name: one.size[0] * reach(lifted, name) for name, one in active.items()}


def _half(lifted: Lifted, paper: Paper) -> Half:
    """The paper's texts, all of one domain."""
    rows = [Row(number, tokens, (True,) * len(tokens)) for number, tokens in enumerate(sorted(paper.read))]
    which = torch.zeros(len(rows), dtype=torch.long)
    return Half(lifted=lifted, recipe=Recipe(), domains=("all",), rows=rows, which=which)


def _ffns(lifted: Lifted) -> list[str]:
    return [name for name, part in lifted.spec.parts.items() if part.part_type is PartType.FFN]


def _tried(ground: Ground, lifted: Lifted, ranked: Mapping[str, Sequence[int]], count: int, width: int) -> Step:
    """Masked, which answers as sliced ones do."""
    kept = staying(ranked, count)

    def taps() -> list[Write]:
        return [Mask(name, keep=tuple(neurons)).tap(lifted.spec) for name, neurons in kept.items()]

    change = ground.decides(lifted.model, taps)
    said = f"{count:,} of {width:,} neurons in every ffn"
    cost = ground.chooses(lifted.model, taps)
    return Step(out=said, choosing=cost, validation=change, allowed=ground.allows(change))
