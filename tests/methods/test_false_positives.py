"""What is not there is not found: 200 worlds of each kind, as near to the claim as what is not so can be."""

from __future__ import annotations

import pytest

from garage_nb.methods.contrast import difference
from garage_nb.methods.measure import ACCURACY
from garage_nb.methods.rules.beats import Beats
from garage_nb.methods.rules.moves_without import MovesWithout
from garage_nb.methods.verdict import FAILS, HOLDS
from tests.methods.synthetic import World
from tests.methods.worlds import CASES, SHARE, rulings

NULLS, MOST = 200, 0.07


@pytest.mark.parametrize("name", CASES)
def test_what_is_not_there_is_not(name: str) -> None:
    assert rulings(CASES[name].rule, CASES[name].null, NULLS)[HOLDS] <= MOST * NULLS


def moved(world: World, first: str, second: str) -> float:
    """In accuracy, by very many items."""
    large = next(World(effects=world.effects, items=100_000, seeds=1, luck=0.0).outcomes(1))
    return float(large.values(ACCURACY, difference(first, second), range(100_000)).mean())


def test_an_effect_of_the_margin_is_seldom_said_not_to_be() -> None:
    """The other error: 200 times an effect that is just what matters."""
    world = World(effects={"gated": 0.8, "shuffled": 0.0}, items=300, luck=0.1)
    true = moved(world, "gated", "shuffled")

    found = rulings(Beats(treatment="gated", controls=("shuffled",), margin=true), world, NULLS)

    assert found[FAILS] <= MOST * NULLS
    assert found[HOLDS] > NULLS / 2


def test_accuracy_that_moves_by_the_margin_is_seldom_said_to_stay() -> None:
    """The share moves; accuracy does by just what matters."""
    world = World(effects={"up": 0.5, "other": 0.0}, shares={"up": 0.3}, items=250, luck=0.0)
    true = moved(world, "up", "other")
    rule = MovesWithout(
        treatment="up", controls=("other",), untouched="other", moved=SHARE, moved_margin=0.05, margin=true
    )

    found = rulings(rule, world, NULLS)

    assert found[HOLDS] <= MOST * NULLS
