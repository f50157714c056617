"""Layers: whole layers taken out one after the other, each time the one that costs least, as long as it is allowed.

Men et al., "ShortGPT: Layers in Large Language Models are More Redundant Than You Expect", 2024, rank layers once, by
how much they turn the stream; here the loss itself is asked, and again after each layer that has gone.
"""

from __future__ import annotations

from ...compose.combining.variants import with_layers
from ...compose.layout.donors import Donor, opened
from ...core.progress import progress
from ...errors import BuildError
from .ground import Ground, Step


def layers_left(ground: Ground) -> tuple[list[int], list[Step]]:
    """The layers that stay, from bottom to top, and what was tried; the last step is the one that was too dear.

    BuildError for a model of one layer, and for one whose layers cannot be counted anew.
    """
    if ground.lifted.spec.num_layers < 2:
        raise BuildError(f"{ground.lifted.spec.model_id} has a single layer, which must stay.", "Take neurons out.")
    base = opened("base", ground.lifted)
    left, steps = list(range(base.spec.num_layers)), list[Step]()
    with progress("taking layers out", "layer", len(left) - 1) as bar:
        while len(left) > 1:
            step, rest = _cheapest(ground, base, left)
            steps.append(step)
            if not step.allowed:
                break
            left = rest
            bar.update()
    return left, steps


def _cheapest(ground: Ground, base: Donor, left: list[int]) -> tuple[Step, list[int]]:
    """By the choosing texts; the validation texts see that one alone. Of equals the uppermost goes."""
    costs = {}
    for layer in reversed(left):
        rest = [other for other in left if other != layer]
        costs[layer] = ground.chooses(with_layers(base, rest))
    layer = min(costs, key=costs.__getitem__)
    rest = [other for other in left if other != layer]
    change = ground.decides(with_layers(base, rest))
    step = Step(out=f"layer_{layer}", choosing=costs[layer], validation=change, allowed=ground.allows(change))
    return step, rest
