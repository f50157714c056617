"""Rules on worlds whose truth is known: what is planted is found, what is clearly not so is not, few items are few."""

from __future__ import annotations

from dataclasses import replace

import pytest

from garage_nb.errors import InputError
from garage_nb.methods.contrast import difference
from garage_nb.methods.measure import ACCURACY
from garage_nb.methods.outcomes import Outcomes
from garage_nb.methods.rules.beats import Beats
from garage_nb.methods.rules.correlates import Correlates
from garage_nb.methods.rules.dose_response import DoseResponse
from garage_nb.methods.rules.interior_maximum import InteriorMaximum
from garage_nb.methods.verdict import FAILS, HOLDS, UNDECIDED, verdict
from tests.methods.synthetic import World
from tests.methods.worlds import CASES, DEPTH, MANY, flat, rulings

each = pytest.mark.parametrize("name", CASES)


@each
def test_what_is_planted_is_found(name: str) -> None:
    assert rulings(CASES[name].rule, CASES[name].planted, 20)[HOLDS] >= 18


@each
def test_what_is_clearly_not_so_does_not_hold(name: str) -> None:
    assert rulings(CASES[name].rule, CASES[name].clear, 5)[FAILS] >= 4


@each
def test_few_items_settle_nothing(name: str) -> None:
    """Four items, or three arms to be put in order: neither what is planted nor what is clearly not so."""
    case = CASES[name]
    rule = replace(case.rule, among=MANY[:3]) if isinstance(case.rule, Correlates) else case.rule
    for world in (case.planted, case.null, case.clear):
        few = World(effects=world.effects, shares=world.shares, items=4, seeds=2)
        assert rulings(rule, few, 5) == {UNDECIDED: 5}


def test_a_place_is_not_tested_by_the_items_that_chose_it() -> None:
    """Of 5 places that are all alike the best one is above the ends on its own items, and not on the others."""
    rule = InteriorMaximum(along=DEPTH, margin=0.05)
    worlds = list(World(effects=flat(DEPTH), items=40).outcomes(100))

    def rise(one: Outcomes, chosen_by: range, at: range) -> float:
        return float(one.values(ACCURACY, difference(rule.best(one, chosen_by), "layer_4"), at).mean())

    own = sum(rise(one, range(0, 40, 2), range(0, 40, 2)) for one in worlds) / 100
    others = sum(rise(one, range(0, 40, 2), range(1, 40, 2)) for one in worlds) / 100
    assert own > 0.025 > abs(others)
    assert all(hurdle.effect.n == 20 for hurdle in rule.hurdles(worlds[0], range(40), 0))


def test_where_the_witness_is_not_seen_nothing_is_said() -> None:
    """What is planted is not told to be there, and what is clearly not there is not told to be missing."""
    case = CASES["beats with a witness"]
    for world in (case.planted, case.clear):
        blind = replace(world, effects={**world.effects, "known": 0.0})
        assert rulings(case.rule, blind, 10)[UNDECIDED] >= 9


def test_every_rule_says_what_it_does() -> None:
    for case in CASES.values():
        assert set(case.rule.arms) <= set(case.planted.effects)
        assert case.rule.measure.defined.split(",")[0] in case.rule.said
    few = next(CASES["beats"].null.outcomes(1))
    assert verdict(CASES["beats"].rule.hurdles(few, range(60), 0)).ruling in (UNDECIDED, FAILS)


def test_rules_that_could_not_be_followed_are_refused() -> None:
    with pytest.raises(InputError, match="nothing that gated must beat"):
        Beats(treatment="gated", controls=(), margin=0.05)
    with pytest.raises(InputError, match="2 places have none between"):
        InteriorMaximum(along=("layer_0", "layer_1"), margin=0.05)
    with pytest.raises(InputError, match="2 arms have the same dose"):
        DoseResponse(doses=(("a", 1.0), ("b", 1.0)), margin=0.05)
