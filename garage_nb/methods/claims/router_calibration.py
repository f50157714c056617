"""Router calibration: a router's probability of an expert says nothing of how well that expert would answer.

Every expert of a router is given all tokens in turn. On every item the experts are put in order twice, by what the
untouched router gives them and by how well the item is answered when each of them answers alone. If routers have not
learned which expert is better, the two orders have nothing to do with each other. That is what is claimed, so what must
be shown is that the correlation is within a margin of 0: not to find one is not enough.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...core.seed import spawned
from ...inject.edit import Edit
from ...inject.routing.experts import Experts
from ...inject.routing.isolate import Isolate
from ...inject.routing.reroute import WAYS, Reroute
from ...registry.lift import Lifted
from ...registry.routes import Route
from ..claim import Arm, Effort, Role
from ..measure import LOG_PROB, Measure
from ..proposal import Design, Proposal
from ..rules.unrelated import Unrelated
from ..studies.answering import alone
from ..studies.course import Course, Run
from ..studies.ground import EXPERTS, Ground
from ..studies.routed import gates_of, probability

PROBABILITY = Measure("probability", "what the untouched router gives to the experts that answer")
ROUTER, ALL_ALLOWED = "routers as they are", "all experts allowed"
MARGIN = 0.2  # 4 % of the variance of ranks
SAID = {
    "uniform": "the chosen experts count the same, at every router",
    "random": "as many experts by chance, at every router",
    "anti": "the router's order turned round, at every router",
}


def alone_in(gate: str, expert: int) -> str:
    return f"{gate} expert_{expert}"


def _design(ground: Ground) -> Design:
    routes = gates_of(ground.other(EXPERTS))
    return Design(
        protocol="All tokens of an item go to one expert of one router at a time, with weight 1. Probability is that of"
        " the untouched router, softmax over all its experts, mean over the item's tokens. A router whose experts"
        " answer alike has no order to find.",
        arms=(
            Arm(ROUTER, Role.NO_OP, "nothing is forced"),
            Arm(ALL_ALLOWED, Role.NO_OP, "the choice is done anew, from all experts"),
            *(
                Arm(alone_in(route.gate, expert), Role.TREATMENT, "answers for every token of its layer")
                for route in routes
                for expert in range(route.experts)
            ),
            *(Arm(way, Role.BASELINE, SAID[way]) for way in WAYS),
        ),
        rule=Unrelated(
            groups=tuple((one.gate, tuple(alone_in(one.gate, each) for each in range(one.experts))) for one in routes),
            by=PROBABILITY,
            measure=LOG_PROB,
            margin=MARGIN,
        ),
        is_general=True,
    )


def _study(ground: Ground, effort: Effort) -> Course:
    model = ground.other(EXPERTS)
    routes = gates_of(model)
    allowed = [Experts(route.gate, keep=range(route.experts)) for route in routes]
    return Course(
        ground,
        [
            _run(model, routes, ROUTER),
            _run(model, routes, ALL_ALLOWED, *allowed),
            *(
                _run(model, [route], alone_in(route.gate, expert), Isolate(route.gate, expert))
                for route in routes
                for expert in range(route.experts)
            ),
            *(_rerouted(model, routes, way) for way in WAYS),
        ],
        about=ground.domains,
    )


def _run(model: Lifted, routes: Sequence[Route], arm: str, *edits: Edit) -> Run:
    reading = {PROBABILITY.name: probability(model, routes, *edits)}
    return Run(arm, lambda seed: alone(model, *edits), readings=lambda seed: reading)


def _rerouted(model: Lifted, routes: Sequence[Route], way: str) -> Run:
    return Run(
        way,
        lambda seed: alone(model, *rerouted(routes, way, seed)),
        is_drawn=way == "random",
        readings=lambda seed: {PROBABILITY.name: probability(model, routes, *rerouted(routes, way, seed))},
    )


def rerouted(routes: Sequence[Route], way: str, seed: int) -> list[Edit]:
    """At every router, each with a seed of its own."""
    return [Reroute(route.gate, way, spawned(seed, route.gate).initial_seed()) for route in routes]


ROUTER_CALIBRATION = Proposal(
    key="router-calibration",
    statement="Routers do not learn: an expert's routing probability has nothing to do with how well it answers.",
    source="Model Garage, router calibration: rank correlation 0.069 in its documents, -0.017 in its paper",
    design=_design,
    study=_study,
    needs=(EXPERTS,),
    quick=Effort(100),
    full=Effort(400),
)
