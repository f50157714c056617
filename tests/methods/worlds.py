"""A world for every rule in which it holds, one in which it just does not, and one in which it clearly does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from garage_nb.methods.measure import LOG_PROB, Measure
from garage_nb.methods.rules.beats import Beats
from garage_nb.methods.rules.correlates import Correlates
from garage_nb.methods.rules.dose_response import DoseResponse
from garage_nb.methods.rules.interior_maximum import InteriorMaximum
from garage_nb.methods.rules.moves_without import MovesWithout
from garage_nb.methods.rules.rule import Rule
from garage_nb.methods.rules.synergy import INTERFERENCE, Synergy
from garage_nb.methods.verdict import verdict
from tests.methods.synthetic import World

SHARE = Measure("share", "share of tokens that an expert is given")
DEPTH = ("layer_0", "layer_1", "layer_2", "layer_3", "layer_4")
MANY = tuple(f"expert_{number}" for number in range(16))


def rulings(rule: Rule, world: World, count: int, seed: int = 0) -> Counter[str]:
    return Counter(verdict(rule.hurdles(one, range(world.items), 0)).ruling for one in world.outcomes(count, seed))


@dataclass(frozen=True)
class Case:
    """`null` is as near to the claim as what is not so can be, `clear` as far as a claim that fails is."""

    rule: Rule
    planted: World
    null: World
    clear: World


def flat(arms: tuple[str, ...], **effects: float) -> dict[str, float]:
    return {**dict.fromkeys(arms, 0.0), **effects}


PAIR = ("gated", "shuffled", "free")
FOUR = (*PAIR, "known")
SIX = ("none", "a", "b", "both", "aa", "bb")
CASES = {
    "beats": Case(
        Beats(treatment="gated", controls=("shuffled", "free"), margin=0.08),
        World(effects=flat(PAIR, gated=2.0)),
        World(effects=flat(PAIR, free=-2.0), luck=0.4),  # one is beaten, the other is not
        World(effects=flat(PAIR), items=1000, luck=0.0),
    ),
    "beats with a witness": Case(
        Beats(treatment="gated", controls=("shuffled",), margin=0.08, witness=("known", "free")),
        World(effects=flat(FOUR, gated=2.0, known=2.0)),
        World(effects=flat(FOUR, known=2.0), luck=0.4),  # the witness differs, and nothing else
        World(effects=flat(FOUR, known=2.0), items=1000, luck=0.0),
    ),
    "interior maximum": Case(
        InteriorMaximum(along=DEPTH, margin=0.08),
        World(effects=flat(DEPTH, layer_2=2.5), items=120),
        World(effects=flat(DEPTH, layer_0=-2.0)),  # as high between as at the end
        World(effects=flat(DEPTH, layer_4=1.0), items=1000, luck=0.0),
    ),
    "dose": Case(
        DoseResponse(doses=tuple((name, float(dose)) for dose, name in enumerate(DEPTH)), margin=0.03),
        World(effects={name: 0.6 * dose for dose, name in enumerate(DEPTH)}),
        World(effects=flat(DEPTH), luck=0.4),
        World(effects=flat(DEPTH), items=1000, luck=0.0),
    ),
    "synergy": Case(
        Synergy(none="none", a="a", b="b", both="both", twice_a="aa", twice_b="bb", margin=0.2),
        World(effects=flat(SIX, both=3.0)),
        World(effects=flat(SIX, both=2.0, aa=2.0, bb=-1.0)),  # no more than twice the dose does
        World(effects=flat(SIX, both=2.0, aa=2.0), items=1000, luck=0.0),
    ),
    "interference": Case(
        Synergy(none="none", a="a", b="b", both="both", twice_a="aa", twice_b="bb", margin=0.2, order=INTERFERENCE),
        World(effects=flat(SIX, both=-2.0)),
        World(effects=flat(SIX, both=-2.0, aa=-2.0)),
        World(effects=flat(SIX), items=1000, luck=0.0),
    ),
    "correlates": Case(
        Correlates(among=MANY, by=SHARE, measure=LOG_PROB, margin=0.6),
        World(
            effects={name: 0.1 * at for at, name in enumerate(MANY)},
            shares={name: 0.05 * at for at, name in enumerate(MANY)},
        ),
        World(effects=flat(MANY), items=30),
        World(
            effects={name: 0.1 * at for at, name in enumerate(MANY)},
            shares={name: -0.05 * at for at, name in enumerate(MANY)},
        ),
    ),
    "moves without": Case(
        MovesWithout(
            treatment="up", controls=("other",), untouched="other", moved=SHARE, moved_margin=0.005, margin=0.2
        ),
        World(effects=flat(("up", "other")), shares={"up": 0.3}, items=400, luck=0.0),
        World(effects=flat(("up", "other")), items=80, luck=0.0, noise=1.0),  # neither moves
        World(effects=flat(("up", "other"), up=-2.5), shares={"up": 0.3}, items=400),
    ),
}
