"""Router calibration: its rule on planted relations, its runs on a few items, and its probabilities by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
import torch

from garage_nb.core.batch import prepare
from garage_nb.inject.routing.isolate import Isolate
from garage_nb.methods.claims.router_calibration import ALL_ALLOWED, PROBABILITY, ROUTER_CALIBRATION, rerouted
from garage_nb.methods.rules.unrelated import Unrelated
from garage_nb.methods.studies.routed import gates_of, probability
from garage_nb.methods.verdict import FAILS, HOLDS
from tests.methods.claims.trying import FEW, demand_sound, differs, ground_for, model
from tests.methods.synthetic import World
from tests.methods.worlds import SHARE, flat, rulings


@cache
def rule() -> Unrelated:
    found = ROUTER_CALIBRATION.design(ground_for(ROUTER_CALIBRATION)).rule
    assert isinstance(found, Unrelated)
    return replace(found, by=SHARE)


def test_no_relation_at_any_router_holds_and_one_does_not() -> None:
    arms = rule().arms
    last = {arm: 0.1 * at for at, arm in enumerate(dict(rule().groups)["gate_3"])}
    none = World(effects=flat(arms), items=300, seeds=1, luck=0.0)
    some = replace(none, effects={**none.effects, **{arm: 10 * one for arm, one in last.items()}}, shares=last)

    assert rulings(rule(), none, 3)[HOLDS] == 3
    assert rulings(rule(), some, 2)[FAILS] == 2


def test_it_runs_on_a_users_own_items() -> None:
    trial = demand_sound(ROUTER_CALIBRATION)

    assert ALL_ALLOWED in trial.outcomes.arms
    assert differs(trial, "random")
    chances = trial.outcomes.readings[PROBABILITY.name]
    for _, arms in rule().groups:
        mine = [trial.outcomes.arms.index(arm) for arm in arms]
        torch.testing.assert_close(chances[:, mine].sum(1), torch.ones_like(chances[:, 0]))
    assert trial.apart == ()


def test_it_is_asked_of_all_domains_alike() -> None:
    ground = ground_for(ROUTER_CALIBRATION)

    items = ROUTER_CALIBRATION.study(ground, FEW).items(4)

    assert Counter(item.domain for item in items) == dict.fromkeys(ground.test, 4)


def test_chance_deals_out_anew_at_every_router() -> None:
    routes = gates_of(model("showroom-moe"))

    drawn = [edit.seed for seed in (0, 1) for edit in rerouted(routes, "random", seed)]  # type: ignore[attr-defined]

    assert len(set(drawn)) == 2 * len(routes) > 2
    assert rerouted(routes, "random", 1) == rerouted(routes, "random", 1)


def test_a_probability_is_the_routers_softmax_without_padding() -> None:
    moe = model("showroom-moe")
    route = gates_of(moe)[1]
    texts = ["1 2 3", "a b c d e"]
    gate = moe.model.get_submodule(moe.spec.part(route.gate).module_path)
    entering: list[torch.Tensor] = []
    handle = gate.register_forward_hook(lambda module, args, output: entering.append(args[0]))
    with torch.no_grad():
        moe.model(**moe.tokenizer([texts[0]], return_tensors="pt", return_token_type_ids=False))
    handle.remove()
    logits = entering[0].reshape(-1, gate.weight.shape[1]) @ gate.weight.T
    by_hand = logits.detach().double().softmax(-1).mean(0)

    found = [
        float(probability(moe, [route], Isolate(route.gate, expert))(prepare(texts, moe.model, moe.tokenizer))[0])
        for expert in range(route.experts)
    ]

    assert found == pytest.approx(by_hand.tolist(), abs=1e-5)
