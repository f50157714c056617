"""Rule 3: the more the source is ahead of the target, the more the target gains by its hidden states.

Six models of rising ability, each once as target and once as source of every other. No series of checkpoints of one
training is at hand, so they are the target, a copy that was trained further, and linear merges of the two: one line
of descent, of which the result speaks and of no other. What a target gains is less by what it can already, so the gap
is read off one half of the items and the gain off the other; that a weaker target has more room remains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations

from torch import Tensor

from ...registry.lift import Lifted
from ..claim import Arm, Effort, Role
from ..measure import Measure
from ..outcomes import Item, Marks
from ..proposal import Design, Proposal
from ..rules.correlates_over_pairs import CorrelatesOverPairs
from ..studies.answering import alone, merged
from ..studies.course import Course, Run
from ..studies.ground import SIBLING, Ground, place_of
from ..studies.mixing import mixed_in
from ..studies.usual import SOURCE, TARGET, USUAL, usual

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the source's weights
DOSE, MARGIN = 0.5, 0.5  # half of the source's states; a rank correlation
GAP = Measure("gap", "accuracy of the source less that of its target")
GAIN = Measure("gain", "log-probability gained over its own target, nats")
MODELS = (TARGET, *(f"merge, {share:.0%}" for share in SHARES[1:-1]), SOURCE)
PAIRS = {f"{SHARES[b]:.0%} into {SHARES[a]:.0%}": (a, b) for a, b in permutations(range(len(SHARES)), 2)}


def _design(ground: Ground) -> Design:
    merges = [Arm(name, Role.BASELINE, "between target and source, by weights") for name in MODELS[1:-1]]
    pairs = [Arm(name, Role.TREATMENT, f"{DOSE:.0%} of the states of {MODELS[b]}") for name, (_, b) in PAIRS.items()]
    return Design(
        protocol=f"At {place_of(ground)} of every target, {DOSE:.0%} of the source's hidden states: no fit, so nothing"
        " differs between pairs but the models. These are the target, a copy that was trained further, and four linear"
        " merges of both, as no series of checkpoints is at hand. Gap and gain are read off different items.",
        arms=(*USUAL, *merges, *pairs),
        rule=CorrelatesOverPairs(among=tuple(PAIRS.items()), by=GAP, measure=GAIN, margin=MARGIN),
    )


@dataclass(frozen=True, eq=False)
class _Gaps:
    """A course with a gap and a gain beside every mark. Models run alone before they are paired."""

    course: Course

    @property
    def model_id(self) -> str:
        return self.course.model_id

    def items(self, count: int) -> Sequence[Item]:
        return self.course.items(count)

    def arms(self, seed: int, items: Sequence[Item]) -> Iterator[tuple[str, Marks]]:
        found: dict[str, Marks] = {}
        for arm, marks in self.course.arms(seed, items):
            found[arm] = marks
            yield arm, replace(marks, readings=_readings(found, arm))


def _readings(found: Mapping[str, Marks], arm: str) -> dict[str, Tensor]:
    """An arm that is no pair is held against the target, and has no gap."""
    target, source = (found[MODELS[one]] for one in PAIRS.get(arm, (0, 0)))
    gap = source.right.double() - target.right.double()
    return {GAP.name: gap, GAIN.name: found[arm].log_probs - target.log_probs}


def _study(ground: Ground, effort: Effort) -> _Gaps:
    target, source, place = ground.target, ground.other(SIBLING), place_of(ground)

    @cache
    def model(number: int) -> Lifted:
        ends = {0: target, len(SHARES) - 1: source}
        return ends[number] if number in ends else merged(target, source, SHARES[number])

    def by_itself(number: int) -> Run:
        return Run(MODELS[number], lambda seed: alone(model(number)))

    def paired(name: str, a: int, b: int) -> Run:
        return Run(name, lambda seed: alone(model(a), mixed_in(model(a), place, model(b), DOSE)))

    return _Gaps(
        Course(
            ground,
            [
                *usual(ground, [source], lambda made: [mixed_in(target, place, made(source), DOSE)]),
                *(by_itself(number) for number in range(1, len(SHARES) - 1)),
                *(paired(name, a, b) for name, (a, b) in PAIRS.items()),
            ],
        )
    )


CAPABILITY_GAP = Proposal(
    key="capability-gap",
    statement="What a blade brings grows with how far its source is ahead of its target.",
    source="Model Garage, rules of blade injection, 3: improvement is proportional to the capability gap",
    design=_design,
    study=_study,
    needs=(SIBLING,),
)
