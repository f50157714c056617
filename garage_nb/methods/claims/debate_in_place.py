"""Debate in place: two disturbed views of the hidden states, merged where they were made, improve the answers.

Nothing runs between parting and meeting, so the mean of two views is one noise of half the variance: that noise is the
control. Views that run on to the end and are averaged there are what the words promise, at three times the cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from ...analyze.debates.arms import matched
from ...core.batch import Batch
from ...core.run import logits
from ...core.sites import Write
from ...core.stats import exact
from ...inject.debating.debating import Debating
from ...inject.debating.held import held
from ...inject.debating.perspectives import viewed
from ...inject.rounds import Debate
from ...registry.lift import Lifted
from ..claim import Arm, Effort, Role
from ..proposal import Design, Proposal
from ..rules.beats import Beats
from ..studies.answering import alone
from ..studies.course import Course, Run
from ..studies.ground import Ground, place_of
from ..studies.papers import Answering

STRENGTH = 0.1
TARGET, STILL, NOISE = "target", "debate of strength 0", "one noise"
IN_PLACE, CONFIDENCE, GATED = "in place, average", "in place, confidence", "in place, random gate"
MERGED_LATE, AVERAGED = "to the end, states merged", "to the end, probabilities averaged"

ARMS = (
    Arm(TARGET, Role.NO_OP, "as it is"),
    Arm(STILL, Role.NO_OP, "two views that are the same"),
    Arm(IN_PLACE, Role.TREATMENT, f"two views with {100 * STRENGTH:g} % dropout, and their mean"),
    Arm(CONFIDENCE, Role.TREATMENT, "the view of lower entropy weighs more"),
    Arm(GATED, Role.TREATMENT, "weighed by a gate that was never trained"),
    Arm(MERGED_LATE, Role.BASELINE, "views run on and are merged behind the last block; 3 passes side by side"),
    Arm(AVERAGED, Role.BASELINE, "what each view says in the end, averaged; 3 passes side by side"),
    Arm(NOISE, Role.CONTROL, "one view, of the variance of the mean of two"),
)


def _design(ground: Ground) -> Design:
    return Design(
        protocol=f"Views part at {place_of(ground)} by {100 * STRENGTH:g} % dropout, drawn anew under every seed. In"
        " place nothing runs between parting and meeting.",
        arms=ARMS,
        rule=Beats(treatment=IN_PLACE, controls=(TARGET, NOISE), margin=0.05),
    )


def _study(ground: Ground, effort: Effort) -> Course:
    target, at = ground.target, place_of(ground)

    def in_place(how: str, strength: float = STRENGTH) -> Callable[[int], Answering]:
        return lambda seed: alone(target, Debate(at, "dropout", how, strength, seed))

    return Course(
        ground,
        [
            Run(TARGET, lambda seed: alone(target)),
            Run(STILL, in_place("average", 0.0), is_drawn=True),
            Run(IN_PLACE, in_place("average"), is_drawn=True),
            Run(CONFIDENCE, in_place("confidence"), is_drawn=True),
            Run(GATED, in_place("gated"), is_drawn=True),
            Run(MERGED_LATE, lambda seed: merged_late(target, _debating(at, seed)), is_drawn=True),
            Run(AVERAGED, lambda seed: averaged(target, _debating(at, seed)), is_drawn=True),
            Run(NOISE, lambda seed: one_noise(target, _debating(at, seed)), is_drawn=True),
        ],
    )


def _debating(at: str, seed: int) -> Debating:
    """To the end; seeds that no other has."""
    return Debating(at, strength=STRENGTH, seeds=(2 * seed, 2 * seed + 1))


def merged_late(lifted: Lifted, debating: Debating) -> Answering:
    return lambda batch: held(lifted.model, lifted.spec, batch, debating).reconciled


def averaged(lifted: Lifted, debating: Debating) -> Answering:
    """Log of the mean probability."""

    def answer(batch: Batch) -> Float[Tensor, "rows seq vocab"]:
        each = exact(held(lifted.model, lifted.spec, batch, debating).perspectives).log_softmax(-1)
        return each.logsumexp(0) - math.log(len(each))

    return answer


def one_noise(lifted: Lifted, debating: Debating) -> Answering:
    """One view in place of the stream, as loud as the mean of all."""

    def answer(batch: Batch) -> Float[Tensor, "rows seq vocab"]:
        site = lifted.spec.site(debating.at)
        write = Write(site, viewed(debating.divergence, matched(debating), debating.seeds[0]), NOISE)
        return logits(lifted.model, batch, [write], chain=lifted.spec.chain)

    return answer


DEBATE_IN_PLACE = Proposal(
    key="debate-in-place",
    statement="Two disturbed views of the hidden states, merged in place, improve the answers.",
    source="Model Garage, self-debate: divergence and reconciliation at one layer",
    design=_design,
    study=_study,
    quick=Effort(200),
    full=Effort(400),
)
