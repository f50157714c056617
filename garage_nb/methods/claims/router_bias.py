"""Rule 6: a bias on a router's logits promotes the expert of a domain, and the answers stay as good as they were.

Any expert is chosen more often when its logit is raised. So what counts is how much more than another one, about as
much used before, by the same bias. Which expert is the domain's is told by items that do not test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.seed import seeded
from ...errors import InputError
from ...inject.edit import Edit
from ...inject.router import RouterBias, bias_of
from ...registry.lift import Lifted
from ...registry.routes import Route
from ..claim import Arm, Effort, Role
from ..measure import Measure
from ..proposal import Design, Proposal
from ..rules.moves_without import MovesWithout
from ..studies.answering import alone
from ..studies.course import Course, Run
from ..studies.ground import EXPERTS, Ground
from ..studies.papers import Papers, Reading
from ..studies.routed import gain, gates_of, share, shares

CLAIMED, STRENGTHS = 2.0, (1.0, 2.0, 5.0, 10.0)
TOLD = 50  # items of a domain that tell whose expert is whose
ROUTER, ZERO, RANDOM = "router as it is", "bias of 0", "random bias, as long"
GAIN = Measure("gain", "rise of the share of an item's tokens that go to the expert given the bias")


def own(bias: float) -> str:
    return f"domain's expert {bias:+g}"


def others(bias: float) -> str:
    return f"other expert {bias:+g}"


BIASES = tuple(sign * one for one in STRENGTHS for sign in (1, -1))


@dataclass(frozen=True, kw_only=True)
class Pair:
    """At one router: the expert whose share of the domain's tokens is most above its share of all others', and that
    other one whose share of the domain's tokens is nearest; on items to fit on.
    """

    route: Route
    expert: int
    other: int
    share: float
    elsewhere: float
    other_share: float

    def bias(self, expert: int, amount: float) -> RouterBias:
        return RouterBias(self.route.gate, bias_of(self.route.experts, {expert: amount}))


def pair_of(ground: Ground) -> Pair:
    """EditError for a model without routers, InputError where there is no other domain."""
    model = ground.other(EXPERTS)
    apart = [one for domain, several in ground.fit.items() if domain != ground.domain for one in several[:TOLD]]
    if not apart:
        raise InputError(
            "There is one domain, and no other to tell its expert by.", "Give items of two domains, more of each."
        )
    own_papers, papers = Papers.of(model, ground.fit[ground.domain][:TOLD]), Papers.of(model, apart)
    found = []
    for route in gates_of(model):
        mine, rest = _shares(model, route, own_papers), _shares(model, route, papers)
        expert = int((mine - rest).argmax())
        away = (mine - mine[expert]).abs()
        away[expert] = torch.inf
        other = int(away.argmin())
        shown = (float(mine[expert]), float(rest[expert]), float(mine[other]))
        found.append(
            Pair(route=route, expert=expert, other=other, share=shown[0], elsewhere=shown[1], other_share=shown[2])
        )
    return max(found, key=lambda one: one.share - one.elsewhere)


def _shares(model: Lifted, route: Route, papers: Papers) -> Float[Tensor, " experts"]:
    """Mean over rows."""
    return torch.cat([shares(model, route, batch) for batch in papers.batches]).mean(0)


def _design(ground: Ground) -> Design:
    pair = pair_of(ground)
    at = f"expert_{pair.expert} of {pair.route.gate}"
    return Design(
        protocol=f"On items to fit on, {at} takes {pair.share:.2f} of the tokens of {ground.domain} and"
        f" {pair.elsewhere:.2f} of all others'; expert_{pair.other}, the other expert, {pair.other_share:.2f} of"
        f" {ground.domain}. A bias b makes an expert's odds e^b times as large, so by itself it raises any share. The"
        f" claim is tried at b = {CLAIMED:g}; below 0 a bias suppresses.",
        arms=_arms(pair),
        rule=MovesWithout(
            treatment=own(CLAIMED),
            controls=(others(CLAIMED), RANDOM),
            untouched=ROUTER,
            moved=GAIN,
            moved_margin=0.05,
            margin=0.05,
        ),
    )


def _arms(pair: Pair) -> tuple[Arm, ...]:
    return (
        Arm(ROUTER, Role.NO_OP, "nothing is added"),
        Arm(ZERO, Role.NO_OP, "the same edit at strength 0"),
        *(Arm(own(b), Role.TREATMENT, f"expert_{pair.expert}, odds times {exp(b):.3g}") for b in BIASES),
        *(Arm(others(b), Role.CONTROL, f"expert_{pair.other}, odds times {exp(b):.3g}") for b in BIASES),
        Arm(RANDOM, Role.CONTROL, f"of length {CLAIMED:g}, on all experts; the share is the domain's expert's"),
    )


def _study(ground: Ground, effort: Effort) -> Course:
    model, pair = ground.other(EXPERTS), pair_of(ground)

    zero = RouterBias(pair.route.gate, bias_of(pair.route.experts, {pair.expert: CLAIMED}), strength=0.0)
    return Course(
        ground,
        [
            _run(model, pair, ROUTER, pair.expert),
            _run(model, pair, ZERO, pair.expert, zero),
            *(_run(model, pair, own(b), pair.expert, pair.bias(pair.expert, b)) for b in BIASES),
            *(_run(model, pair, others(b), pair.other, pair.bias(pair.other, b)) for b in BIASES),
            Run(
                RANDOM,
                lambda seed: alone(model, random_bias(pair.route, seed)),
                is_drawn=True,
                readings=lambda seed: _readings(model, pair, pair.expert, random_bias(pair.route, seed)),
            ),
        ],
    )


def random_bias(route: Route, seed: int) -> RouterBias:
    """In a random direction, as long as the claimed bias on one expert."""
    drawn = torch.randn(route.experts, generator=seeded(seed), dtype=torch.float64)
    return RouterBias(route.gate, tuple((drawn * (CLAIMED / drawn.norm())).tolist()))


def _run(model: Lifted, pair: Pair, arm: str, expert: int, *edits: Edit) -> Run:
    return Run(arm, lambda seed: alone(model, *edits), readings=lambda seed: _readings(model, pair, expert, *edits))


def _readings(model: Lifted, pair: Pair, expert: int, *edits: Edit) -> Mapping[str, Reading]:
    route = pair.route
    return {"share": share(model, route, expert, *edits), GAIN.name: gain(model, route, expert, *edits)}


ROUTER_BIAS = Proposal(
    key="router-bias",
    statement="A bias on a router's logits promotes a domain's expert, and accuracy stays.",
    source="Model Garage, rules of blade injection, 6: router control, 1.67 times the share",
    design=_design,
    study=_study,
    needs=(EXPERTS,),
    quick=Effort(200),
    full=Effort(400),
)
