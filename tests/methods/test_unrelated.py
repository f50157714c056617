"""Unrelated: item by item against Spearman's correlation of each, and on worlds whose relation is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from garage_nb.analyze.ranks import ranks, spearman
from garage_nb.errors import InputError
from garage_nb.methods.measure import LOG_PROB
from garage_nb.methods.outcomes import Outcomes
from garage_nb.methods.rules.unrelated import Unrelated
from garage_nb.methods.verdict import FAILS, HOLDS, UNDECIDED, verdict
from tests.methods.synthetic import World
from tests.methods.worlds import SHARE, flat, rulings

FOUR = ("expert_0", "expert_1", "expert_2", "expert_3")
RULE = Unrelated(groups=(("gate_0", FOUR),), by=SHARE, measure=LOG_PROB, margin=0.2)
NONE = World(effects=flat(FOUR), items=300, seeds=1, luck=0.0)
NULLS, MOST = 200, 0.07


def related(strength: float, items: int = 300) -> World:
    """What has more of one thing has more of the other, on every item somewhat."""
    effects = {name: strength * at for at, name in enumerate(FOUR)}
    shares = {name: 0.1 * strength * at for at, name in enumerate(FOUR)}
    return World(effects=effects, shares=shares, items=items, seeds=1, luck=0.0)


def mean_of(world: World) -> float:
    """By very many items."""
    many = next(replace(world, items=20_000).outcomes(1))
    shares, quality = (ranks(one[0].T) - 2.5 for one in (many.readings["share"], many.log_probs))
    return float((shares * quality).sum(1).mean() / 5)  # the squares of −1.5, −0.5, 0.5 and 1.5 sum to 5


def test_it_is_the_mean_of_each_items_correlation() -> None:
    one = next(replace(related(0.5), items=20).outcomes(1))
    by_hand = [spearman(one.readings["share"][0, :, item], one.log_probs[0, :, item]) for item in range(20)]

    (hurdle,) = RULE.hurdles(one, range(20), 0)

    assert hurdle.effect.value == pytest.approx(sum(by_hand) / 20)
    assert hurdle.effect.low < hurdle.effect.value < hurdle.effect.high


def test_no_relation_is_shown_to_be_none() -> None:
    assert rulings(RULE, NONE, 20)[HOLDS] >= 18


@pytest.mark.parametrize("sign", [1, -1])
def test_a_relation_either_way_is_found(sign: int) -> None:
    world = related(1.0)
    turned = replace(world, shares={name: sign * share for name, share in world.shares.items()})

    assert rulings(RULE, turned, 20)[FAILS] == 20


def test_a_relation_of_the_margin_is_seldom_said_to_be_none() -> None:
    world = related(0.25)

    found = rulings(replace(RULE, margin=mean_of(world)), world, NULLS)

    assert found[HOLDS] <= MOST * NULLS


def test_few_items_settle_nothing() -> None:
    for world in (NONE, related(1.0)):
        assert rulings(RULE, replace(world, items=4), 5) == {UNDECIDED: 5}


def test_one_router_that_knows_is_enough_to_refute() -> None:
    arms = tuple(f"gate_{gate} {name}" for gate in range(2) for name in FOUR)
    known = {arms[4 + at]: 0.1 * at for at in range(4)}
    world = World(
        effects={**flat(arms), **{name: 10 * share for name, share in known.items()}}, shares=known, items=300, seeds=1
    )
    rule = replace(RULE, groups=(("gate_0", arms[:4]), ("gate_1", arms[4:])))

    one = next(world.outcomes(1))

    assert [hurdle.ruling for hurdle in rule.hurdles(one, range(300), 0)] == ["passed", "failed"]
    assert verdict(rule.hurdles(one, range(300), 0)).ruling == FAILS


def test_items_on_which_all_are_alike_count_as_none() -> None:
    one = next(replace(NONE, items=10).outcomes(1))
    flat_shares: Outcomes = replace(one, readings={"share": torch.ones_like(one.log_probs)})

    (hurdle,) = RULE.hurdles(flat_shares, range(10), 0)

    assert hurdle.effect.value == 0


def test_a_group_of_one_has_no_order() -> None:
    with pytest.raises(InputError, match="gate_0 has no two arms"):
        replace(RULE, groups=(("gate_0", FOUR[:1]),))
    with pytest.raises(InputError, match="no arms to be put in order"):
        replace(RULE, groups=())
