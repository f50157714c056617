"""Slim: from a model, texts and a price in loss to a smaller plain model with its evidence.

Candidates are ranked on choosing texts, as much goes as the validation texts allow, and the test texts are looked at
once, when nothing can be chosen any more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...analyze.judging.judge import judge
from ...analyze.judging.paper import paper
from ...analyze.judging.questions import Given
from ...analyze.texts.domains import Domains
from ...core.batch import Prompt
from ...errors import BuildError, EditError, GarageError, InputError, UnavailablePartError, UnknownPartError
from ...inject.mask import Kept
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from .controls import at_random
from .cutting import Cut, cut_to_layers, cut_to_neurons
from .ground import Ground, Step
from .layers import layers_left
from .neurons import neurons_left
from .slimmed import BEFORE, Slimmed
from .split import split
from .unread import unread

By = Literal["layers", "neurons", "both"]
_REFUSALS = (BuildError, EditError, UnavailablePartError, UnknownPartError)


def slim(
    lifted: Lifted,
    texts: Prompt | Domains,
    exercises: Given | None = None,
    *,
    loss: float = 0.05,
    by: By = "both",
    seed: int = 0,
    name: str = "slim",
) -> Slimmed:
    """As much taken out as keeps the mean loss within `loss` nats per token of what it was, by the upper end of a 95 %
    interval over validation texts. First layers, then neurons of what is left, as `by` says.

    `seed` parts the texts, and draws the random removals and the bootstraps. Items are asked at the end only; those
    that the other texts tell of are left out, and a note says how many. BuildError where nothing can be taken out for
    that price, with what the cheapest would have cost; for a model that can be made smaller in neither way.
    """
    if not math.isfinite(loss) or loss <= 0:
        raise InputError(f"{loss!r} is no price in nats per token.", "Give a number above 0, such as 0.05.")
    parts = split(lifted, texts, seed)
    choosing, validation = paper(lifted, parts.choosing), paper(lifted, parts.validation)
    ground = Ground(lifted=lifted, choosing=choosing, validation=validation, loss=loss, seed=seed)
    found = _found(ground, by, name)
    items, not_asked = (None, []) if exercises is None else unread(exercises, ground)
    random = at_random(lifted, found.layers, found.kept, seed)
    against = {BEFORE: lifted, **random}
    evaluation = judge(found.cut.lifted, against, Recipe(), texts=parts.test, exercises=items, seed=seed)
    return Slimmed(
        made=found.cut.made,
        model_id=lifted.spec.model_id,
        loss=loss,
        steps=tuple(found.steps),
        notes=(*found.notes, *not_asked),
        read=(len(choosing.domains), len(validation.domains)),
        random=tuple(random),
        evaluation=evaluation,
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class _Found:
    cut: Cut
    layers: list[int]
    kept: Kept
    steps: Sequence[Step]
    notes: Sequence[str]


def _found(ground: Ground, by: By, name: str) -> _Found:
    """BuildError where nothing went."""
    lifted = ground.lifted
    kept: Kept = {}
    layers = list(range(lifted.spec.num_layers))
    steps, refusals = list[Step](), list[GarageError]()
    if by != "neurons":
        try:
            layers, tried = layers_left(ground)
            steps += tried
        except _REFUSALS as error:
            refusals.append(error)
    done = cut_to_layers(lifted, layers, name)
    if by != "layers":
        try:
            kept, tried = neurons_left(ground, done.lifted)
            steps += tried
            done = cut_to_neurons(done, kept) if kept else done
        except _REFUSALS as error:
            refusals.append(error)
    if not steps:
        raise refusals[0]
    if not kept and len(layers) == lifted.spec.num_layers:
        raise _nothing(ground, steps)
    return _Found(done, layers, kept, steps, [f"{error.what} {error.hint}" for error in refusals])


def _nothing(ground: Ground, steps: Sequence[Step]) -> BuildError:
    cheapest = min(steps, key=lambda step: step.validation.high)
    found = cheapest.validation
    return BuildError(
        f"Nothing can be taken out of {ground.lifted.spec.model_id} within {ground.loss:g} nats per token: "
        f"{cheapest.out} costs {found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f}).",
        "Allow more with --loss, or give more texts: the upper end of the interval decides.",
    )
