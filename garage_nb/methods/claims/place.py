"""Rule 1: the fourth layer from the end is where another model's hidden states do most.

Two claims on the same runs: that there is a peak between the first layer and the last, and that it is there. Put in at
the last layer in place of the target's, the source's states are the source with the target's head, so an effect that
rises to the end is what would come anyway. The rules look at half of either, which a gate lets through before it is
trained: a whole dose is at the ceiling early, where places have no room to differ.
"""

from __future__ import annotations

from collections.abc import Callable

from ...errors import InputError
from ...registry.lift import Lifted
from ..claim import Arm, Effort, Role
from ..measure import LOG_PROB
from ..proposal import Design, Proposal
from ..rules.beats import Beats
from ..rules.interior_maximum import InteriorMaximum
from ..rules.rule import Rule
from ..studies.answering import alone
from ..studies.course import Course, Run
from ..studies.ground import SIBLING, Ground, fourth_last, place_of
from ..studies.mixing import mixed_in
from ..studies.papers import Answering
from ..studies.usual import USUAL, usual

HALF, WHOLE = 0.5, 1.0
MOST, FEWEST = 12, 5  # layers that are tried, and that there must be
MARGIN = 0.1  # nats
SAID = "Model Garage, rules of blade injection, 1: the optimal injection point is layer N-4, 87.5 % of the depth"


def layers(target: Lifted) -> list[int]:
    """The first, the last, the fourth from the end, and of a deep model some between, evenly. InputError for fewer
    than 5: then the fourth from the end is the first, or none.
    """
    count = target.spec.num_layers
    if count < FEWEST:
        raise InputError(
            f"{target.spec.model_id} has {count} layers, and the fourth from the end is none between.",
            f"Take a model of {FEWEST} layers or more.",
        )
    some = range(count) if count <= MOST else [round(one * (count - 1) / (MOST - 2)) for one in range(MOST - 1)]
    return sorted({*some, count - 4})


def half_at(layer: int) -> str:
    return f"half at layer_{layer}"


def whole_at(layer: int) -> str:
    return f"whole at layer_{layer}"


def _design(rule: Callable[[Ground], Rule]) -> Callable[[Ground], Design]:
    def design(ground: Ground) -> Design:
        count, here = ground.target.spec.num_layers, layers(ground.target)
        last = Arm(whole_at(here[-1]), Role.BASELINE, "the source with the target's head")
        wholes = [Arm(whole_at(one), Role.TREATMENT, "the source's states instead") for one in here[:-1]]
        halves = [Arm(half_at(one), Role.TREATMENT, "half of the source's states, half of its own") for one in here]
        return Design(
            protocol=f"The same blade at {len(here)} of {count} layers: the source's hidden states on the same tokens,"
            " half and whole. Placebos act as half at the place that the rule names. Whole at the last layer is the"
            " source with the target's head, so a rise to there is the null. The fourth layer from the end is at"
            f" 87.5 % of the depth only where there are 32; of {count} it is at {100 * (count - 4) / count:g} %.",
            arms=(*USUAL, *halves, *wholes, last),
            rule=rule(ground),
        )

    return design


def _best(ground: Ground) -> Rule:
    named, here = int(fourth_last(ground.target).removeprefix("layer_")), layers(ground.target)
    others = tuple(half_at(one) for one in here if one != named)
    return Beats(treatment=half_at(named), controls=others, margin=MARGIN, measure=LOG_PROB)


def _peak(ground: Ground) -> Rule:
    return InteriorMaximum(along=tuple(map(half_at, layers(ground.target))), margin=MARGIN, measure=LOG_PROB)


def _study(ground: Ground, effort: Effort) -> Course:
    target, source, place = ground.target, ground.other(SIBLING), place_of(ground)
    here = layers(target)
    runs = usual(ground, [source], lambda made: [mixed_in(target, place, made(source), HALF)])
    for name, dose in ((half_at, HALF), (whole_at, WHOLE)):
        runs += [Run(name(one), _at(target, source, one, dose)) for one in here]
    return Course(ground, runs)


def _at(target: Lifted, source: Lifted, layer: int, dose: float) -> Callable[[int], Answering]:
    return lambda seed: alone(target, mixed_in(target, f"layer_{layer}", source, dose))


LAYER_N_MINUS_4 = Proposal(
    key="layer-n-minus-4",
    statement="The fourth layer from the end is the best place for another model's hidden states.",
    source=SAID,
    design=_design(_best),
    study=_study,
    needs=(SIBLING,),
)
INTERIOR_PEAK = Proposal(
    key="interior-peak",
    statement="Another model's hidden states do most at a layer between the first and the last: later is too late.",
    source=f"{SAID}; beyond it, degraded",
    design=_design(_peak),
    study=_study,
    needs=(SIBLING,),
)
