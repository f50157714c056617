"""Variants: one prompt under many edits, one at a time each, and what a metric says of every one.

Edits that begin to act at the same block run as rows of one batch over what left the blocks before it, which is kept of
the run without them. A row of its own for each edit of each block would run all blocks for every one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.batch import Batch
from ...core.progress import progress
from ...core.run import logits
from ...inject.edit import Edit
from ...inject.place import place_of
from ...inject.recipe import Recipe
from ...inject.sweep import swept
from ...registry.lift import Lifted
from .metrics import Metric

LEAST = 8  # rows worth a batch: fewer wait for those of the next blocks


def unedited(lifted: Lifted, batch: Batch, recipe: Recipe, edits: Sequence[Edit]) -> Float[Tensor, " vocab"]:
    """Logits of the last token under the recipe alone; what the edits will need of this run is kept."""
    spec = lifted.spec
    chain = spec.chain.towards(place_of(spec, at).site for at in dict.fromkeys(edit.at for edit in edits))
    return logits(lifted.model, batch, recipe.taps(spec), last=1, chain=chain)[0, -1]


def measured(
    lifted: Lifted, batch: Batch, recipe: Recipe, edits: Sequence[Edit], metric: Metric
) -> Float[Tensor, " edits"]:
    """The metric under each edit, on the host, in the edits' order. The recipe acts before each of them."""
    found = torch.empty(len(edits), dtype=torch.float64)
    for places, rows in answered(lifted, batch, recipe, edits, "measuring"):
        found[places] = metric(rows).double().cpu()
    return found


def answered(
    lifted: Lifted, batch: Batch, recipe: Recipe, edits: Sequence[Edit], doing: str
) -> Iterator[tuple[list[int], Float[Tensor, "rows vocab"]]]:
    """Logits of the last token under some of the edits at a time, with their numbers, until there are all."""
    with progress(doing, "run", len(edits)) as bar:
        for places in _together(lifted, edits):
            waiting = iter(places)
            recipes = [replace(recipe, edits=(*recipe.edits, edits[place])) for place in places]
            for rows in swept(lifted.model, lifted.spec, batch, recipes):
                yield list(islice(waiting, len(rows))), rows
                bar.update(len(rows))


def _together(lifted: Lifted, edits: Sequence[Edit]) -> Iterator[list[int]]:
    """Numbers of edits to run side by side, from the last block to the first."""
    chain = lifted.spec.chain
    starts = {at: chain.start(place_of(lifted.spec, at).site) for at in dict.fromkeys(edit.at for edit in edits)}
    by_start: dict[int, list[int]] = {}
    for place, edit in enumerate(edits):
        by_start.setdefault(starts[edit.at], []).append(place)
    group: list[int] = []
    for start in sorted(by_start, reverse=True):
        group += by_start[start]
        if len(group) >= LEAST:
            yield group
            group = []
    if group:
        yield group
