"""Rule 5: blades of the same domain do more together than each for itself, and those of two domains less.

Both as an interaction (difference in differences) of log-probabilities, which must also be larger than that of twice
the dose of either: two of anything do more, or less, than the sum. Doses are small, for what two do together can only
be more where there is room above. Two blades of different domains must also do less than two of one at the same
places: what these do as well is no matter of domains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...errors import InputError
from ...inject.blades.edit import BladeEdit
from ...registry.lift import Lifted
from ..claim import Arm, Effort, Role
from ..proposal import Design, Proposal
from ..rules.synergy import INTERFERENCE, SYNERGY, Synergy
from ..studies.answering import alone
from ..studies.course import Course, Run
from ..studies.ground import OTHER_SIBLING, SIBLING, Ground, place_of
from ..studies.mixing import mixed_in, twice
from ..studies.placebos import scrambled
from ..studies.usual import TARGET, USUAL, usual

DOSE, MARGIN = 0.1, 0.1
A, B, BOTH, TWICE_A, TWICE_B, PLACEBO = "A", "B", "A and B", "twice A", "twice B", "A, B shuffled"
C, A_AND_C = "C", "A and C"
SAID_OF_C = "A and C are two blades of one domain at the same places: what these do as well is no matter of domains."
SAID = "Model Garage, rules of blade injection, 5: same-domain synergy +27.8 %, cross-domain interference -27.8 %"


def second_place(ground: Ground) -> str:
    """The last layer but one, where the first is the fourth from the end. InputError where both would be one."""
    count = ground.target.spec.num_layers
    if count < 3:
        raise InputError(f"{ground.target.spec.model_id} has {count} layers.", "Two places take three layers or more.")
    return f"layer_{count - 2}"


def _arms(a: str, b: str) -> tuple[Arm, ...]:
    return (
        *USUAL,
        Arm(A, Role.TREATMENT, a),
        Arm(B, Role.TREATMENT, b),
        Arm(BOTH, Role.TREATMENT, "each as it is alone"),
        Arm(TWICE_A, Role.BASELINE, "the dose control: A, twice as strong"),
        Arm(TWICE_B, Role.BASELINE, "the dose control: B, twice as strong"),
        Arm(PLACEBO, Role.CONTROL, "A as it is, and B of a source that takes every token for another one"),
    )


SAME = (
    Arm(C, Role.BASELINE, "in the place of B, as much of the source of A"),
    Arm(A_AND_C, Role.BASELINE, "what two blades of one domain do there"),
)


def _design(other: str, order: int) -> Callable[[Ground], Design]:
    def design(ground: Ground) -> Design:
        first, second = place_of(ground), second_place(ground)
        is_same = other == SIBLING
        domains, more = ("the same domain", ()) if is_same else ("another domain", SAME)
        beside = "" if is_same else f" {SAID_OF_C}"
        return Design(
            protocol=f"A is {DOSE:.0%} of the states of a copy that was trained further on the domain, at {first}; B is"
            f" as much of one trained on {domains}, at {second}. On items of the first domain; the usual placebos are"
            f" of A and B together.{beside}",
            arms=(*_arms(f"at {first}", f"at {second}, of a copy trained on {domains}"), *more),
            rule=Synergy(
                none=TARGET,
                a=A,
                b=B,
                both=BOTH,
                twice_a=TWICE_A,
                twice_b=TWICE_B,
                margin=MARGIN,
                order=order,
                beside=None if is_same else (C, A_AND_C),
            ),
        )

    return design


def _study(other: str) -> Callable[[Ground, Effort], Course]:
    def study(ground: Ground, effort: Effort) -> Course:
        target, sources = ground.target, [ground.other(role) for role in (SIBLING, other)]
        is_same, places = other == SIBLING, (place_of(ground), second_place(ground))

        def blades(made: Callable[[Lifted], Lifted]) -> Sequence[BladeEdit]:
            pairs = zip(places, sources, strict=True)
            return [mixed_in(target, place, made(source), DOSE) for place, source in pairs]

        a, b = blades(lambda one: one)
        c = mixed_in(target, places[1], sources[0], DOSE)
        same = [Run(C, lambda seed: alone(target, c)), Run(A_AND_C, lambda seed: alone(target, a, c))]
        return Course(
            ground,
            [
                *usual(ground, sources[:1] if is_same else sources, blades),
                Run(A, lambda seed: alone(target, a)),
                Run(B, lambda seed: alone(target, b)),
                Run(BOTH, lambda seed: alone(target, a, b)),
                Run(TWICE_A, lambda seed: alone(target, twice(a))),
                Run(TWICE_B, lambda seed: alone(target, twice(b))),
                Run(PLACEBO, lambda seed: alone(target, a, blades(lambda one: scrambled(one, seed))[1]), is_drawn=True),
                *([] if is_same else same),
            ],
        )

    return study


SAME_DOMAIN_SYNERGY = Proposal(
    key="same-domain-synergy",
    statement="Two blades of one domain do more together than the sum of each, and than twice the dose of either.",
    source=SAID,
    design=_design(SIBLING, SYNERGY),
    study=_study(SIBLING),
    needs=(SIBLING,),
)
CROSS_DOMAIN_INTERFERENCE = Proposal(
    key="cross-domain-interference",
    statement="Blades of two domains do less together than the sum of each, than twice the dose of either, and than two"
    " of one domain.",
    source=SAID,
    design=_design(OTHER_SIBLING, INTERFERENCE),
    study=_study(OTHER_SIBLING),
    needs=(SIBLING, OTHER_SIBLING),
)
