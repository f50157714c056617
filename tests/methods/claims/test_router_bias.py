"""Rule 6: its rule on planted shares, its runs on a few items, and its readings counted by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch

from garage_nb.core.batch import prepare
from garage_nb.errors import EditError, InputError
from garage_nb.methods.claims.router_bias import (
    CLAIMED,
    GAIN,
    RANDOM,
    ROUTER,
    ROUTER_BIAS,
    others,
    own,
    pair_of,
    random_bias,
)
from garage_nb.methods.outcomes import Outcomes
from garage_nb.methods.rules.moves_without import MovesWithout
from garage_nb.methods.studies.ground import EXPERTS
from garage_nb.methods.studies.routed import gates_of, share, shares
from garage_nb.methods.verdict import FAILS, HOLDS, verdict
from garage_nb.registry.lift import lift
from tests.families import tiny
from tests.methods.claims.trying import demand_sound, differs, ground_for, model
from tests.methods.synthetic import World
from tests.methods.worlds import flat

ARMS = (own(CLAIMED), others(CLAIMED), RANDOM, ROUTER)


@cache
def rule() -> MovesWithout:
    found = ROUTER_BIAS.design(ground_for(ROUTER_BIAS)).rule
    assert isinstance(found, MovesWithout)
    return found


def rulings(world: World, count: int) -> list[str]:
    """With the planted share as what the rule calls gain."""
    found = []
    for one in world.outcomes(count):
        told = Outcomes(
            key=one.key, model_id=one.model_id, items=one.items, arms=one.arms, seeds=one.seeds, right=one.right,
            log_probs=one.log_probs, readings={GAIN.name: one.readings["share"]},
        )  # fmt: skip
        found.append(verdict(rule().hurdles(told, range(world.items), 0)).ruling)
    return found


def test_a_share_that_rises_more_than_anothers_at_no_cost_holds() -> None:
    sure = dict.fromkeys(ARMS, 12.0)  # all are right, so that accuracy stays
    world = World(effects=sure, shares={own(CLAIMED): 0.3}, items=300, luck=0.0)

    assert rulings(world, 3) == [HOLDS] * 3


def test_a_share_that_rises_like_anothers_does_not() -> None:
    both = {own(CLAIMED): 0.3, others(CLAIMED): 0.3}
    world = World(effects=dict.fromkeys(ARMS, 12.0), shares=both, items=300, luck=0.0)

    assert rulings(world, 5).count(HOLDS) == 0


def test_a_share_that_costs_answers_does_not() -> None:
    world = World(effects=flat(ARMS, **{own(CLAIMED): -2.0}), shares={own(CLAIMED): 0.3}, items=400)

    assert rulings(world, 2) == [FAILS] * 2


def test_it_runs_on_a_users_own_items() -> None:
    trial = demand_sound(ROUTER_BIAS)

    gains = trial.outcomes.readings[GAIN.name].mean((0, 2))
    by_arm = dict(zip(trial.outcomes.arms, gains.tolist(), strict=True))
    assert by_arm[ROUTER] == by_arm["bias of 0"] == 0
    assert by_arm[own(10)] >= by_arm[own(2)] >= by_arm[own(1)] >= 0 >= by_arm[own(-1)] >= by_arm[own(-10)]
    assert differs(trial, RANDOM)


def test_a_very_large_bias_gives_every_token_and_a_very_small_one_none() -> None:
    pair, moe = pair_of(ground_for(ROUTER_BIAS)), model("showroom-moe")
    batch = prepare(["1 2 3", "a b c d e"], moe.model, moe.tokenizer)

    for amount, wanted in ((1e4, 1.0), (-1e4, 0.0)):
        edit = pair.bias(pair.expert, amount)
        assert share(moe, pair.route, pair.expert, edit)(batch).tolist() == [wanted] * 2


def test_shares_are_those_of_the_router_without_padding() -> None:
    moe = model("showroom-moe")
    route = gates_of(moe)[0]
    texts = ["1 2 3", "a b c d e"]
    both = shares(moe, route, prepare(texts, moe.model, moe.tokenizer))
    each = [shares(moe, route, prepare([text], moe.model, moe.tokenizer))[0] for text in texts]
    gate = moe.model.get_submodule(moe.spec.part(route.gate).module_path)
    seen: list[torch.Tensor] = []
    handle = gate.register_forward_hook(lambda module, args, output: seen.append(output[-1]))
    with torch.no_grad():
        moe.model(**moe.tokenizer([texts[1]], return_tensors="pt", return_token_type_ids=False))
    handle.remove()
    by_hand = torch.nn.functional.one_hot(seen[0], route.experts).sum(1).double().mean(0)

    assert torch.equal(both, torch.stack(each))
    assert both.sum(1).tolist() == pytest.approx([route.per_token] * 2)
    assert torch.equal(each[1], by_hand)


def test_a_random_bias_is_as_long() -> None:
    route = gates_of(model("showroom-moe"))[0]

    drawn = [torch.tensor(random_bias(route, seed).bias) for seed in (0, 1)]

    assert [float(one.norm()) for one in drawn] == pytest.approx([CLAIMED] * 2)
    assert not torch.equal(*drawn)


def test_an_expert_of_the_only_domain_is_nobodys() -> None:
    ground = ground_for(ROUTER_BIAS)
    with pytest.raises(InputError, match="no other to tell its expert by"):
        ROUTER_BIAS.claim(replace(ground, fit={"sorting": ground.fit["sorting"]}))


def test_a_model_without_routers_is_refused_in_words() -> None:
    with pytest.raises(EditError, match="is a module of its own"):
        gates_of(lift(tiny("llama")))
    assert EXPERTS in ROUTER_BIAS.needs
