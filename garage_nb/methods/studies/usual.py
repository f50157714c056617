"""The usual arms: what a claim about another model's hidden states is held against, whatever it says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from ...inject.edit import Edit
from ...registry.lift import Lifted
from ..claim import Arm, Role
from .answering import alone, ensemble
from .best_merge import best_merge
from .course import Run
from .ground import Ground
from .papers import Answering
from .placebos import change_on, scrambled, silenced, twin

TARGET, SELF, SOURCE, ENSEMBLE, MERGE = "target", "self-blade", "source", "logit ensemble", "weight merge"
SHUFFLED, SOURCE_FREE, DIRECTION, NOISE = "source shuffled", "source of zeros", "random direction", "noise"
Edits = Callable[[Callable[[Lifted], Lifted]], Sequence[Edit]]
"""What is in force, when every source is what the function makes of it."""

USUAL = (
    Arm(TARGET, Role.NO_OP, "as it is"),
    Arm(SELF, Role.NO_OP, "the blade, its source a copy of the target: nothing may change"),
    Arm(SOURCE, Role.BASELINE, "the other model by itself"),
    Arm(ENSEMBLE, Role.BASELINE, "the mean of the models' logits, for as many passes"),
    Arm(MERGE, Role.BASELINE, "a linear merge, its share chosen on validation, for one pass"),
    Arm(SHUFFLED, Role.CONTROL, "the blade, its source taking every token for another one"),
    Arm(SOURCE_FREE, Role.CONTROL, "the blade, the hidden states of its source all zeros"),
    Arm(DIRECTION, Role.CONTROL, "one random direction added, as long as the blade's change of the average token"),
    Arm(NOISE, Role.CONTROL, "noise added, drawn anew for every token, as long on the average"),
)


def usual(ground: Ground, sources: Sequence[Lifted], edits: Edits) -> list[Run]:
    """The runs of USUAL. The first source is the one that runs alone and is merged; the ensemble is of all."""
    target, source = ground.target, sources[0]
    changes = cache(lambda: [change_on(ground, edit) for edit in edits(lambda one: one)])
    return [
        Run(TARGET, lambda seed: alone(target)),
        Run(SELF, lambda seed: _under(target, edits, lambda one: twin(target))),
        Run(SOURCE, lambda seed: alone(source)),
        Run(ENSEMBLE, lambda seed: ensemble([target, *sources])),
        Run(MERGE, lambda seed: alone(best_merge(ground, source))),
        Run(SHUFFLED, lambda seed: _under(target, edits, lambda one: scrambled(one, seed)), is_drawn=True),
        Run(SOURCE_FREE, lambda seed: _under(target, edits, silenced)),
        Run(DIRECTION, lambda seed: alone(target, *(one.direction(seed) for one in changes())), is_drawn=True),
        Run(NOISE, lambda seed: alone(target, *(one.noise(seed) for one in changes())), is_drawn=True),
    ]


def _under(target: Lifted, edits: Edits, made: Callable[[Lifted], Lifted]) -> Answering:
    return alone(target, *edits(made))
