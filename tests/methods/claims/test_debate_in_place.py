"""Debate in place: its rule on planted gains, its runs on a few items, and its ways to answer against what they say."""

from __future__ import annotations

import torch

from garage_nb.core.batch import prepare
from garage_nb.core.run import logits
from garage_nb.inject.debating.debating import Debating
from garage_nb.inject.debating.held import held
from garage_nb.methods.claims.debate_in_place import (
    AVERAGED,
    DEBATE_IN_PLACE,
    IN_PLACE,
    NOISE,
    TARGET,
    averaged,
    merged_late,
    one_noise,
)  # fmt: skip
from garage_nb.methods.verdict import FAILS, HOLDS
from tests.methods.claims.trying import demand_sound, differs, ground_for, model
from tests.methods.synthetic import World
from tests.methods.worlds import flat, rulings

ARMS = (TARGET, NOISE, IN_PLACE)


def test_a_debate_that_beats_noise_and_nothing_holds() -> None:
    rule = DEBATE_IN_PLACE.design(ground_for(DEBATE_IN_PLACE)).rule

    assert set(rule.arms) == set(ARMS)
    assert rulings(rule, World(effects=flat(ARMS, **{IN_PLACE: 2.0}), items=150), 10)[HOLDS] >= 9
    like_noise = flat(ARMS, **{IN_PLACE: 2.0, NOISE: 2.0})
    assert rulings(rule, World(effects=like_noise, items=150), 20)[HOLDS] <= 1
    assert rulings(rule, World(effects=flat(ARMS, **{IN_PLACE: -2.0}), items=150), 5)[FAILS] == 5


def test_it_runs_on_a_users_own_items() -> None:
    trial = demand_sound(DEBATE_IN_PLACE)

    assert all(differs(trial, arm) for arm in (IN_PLACE, NOISE, AVERAGED))


def test_without_strength_every_way_answers_as_the_target() -> None:
    lifted = model("showroom-llama")
    batch = prepare(["1 2 3", "a b c d e"], lifted.model, lifted.tokenizer)
    plain = logits(lifted.model, batch)
    still = Debating("layer_1", strength=0.0)

    torch.testing.assert_close(merged_late(lifted, still)(batch), plain, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(one_noise(lifted, still)(batch), plain, atol=1e-4, rtol=1e-4)
    shares = averaged(lifted, still)(batch).exp().float()
    torch.testing.assert_close(shares, plain.softmax(-1), atol=1e-4, rtol=1e-4)


def test_the_average_is_of_probabilities() -> None:
    lifted = model("showroom-llama")
    batch = prepare(["a b c d e"], lifted.model, lifted.tokenizer)
    debating = Debating("layer_1", strength=0.3)

    each = held(lifted.model, lifted.spec, batch, debating).perspectives.double().softmax(-1)

    torch.testing.assert_close(averaged(lifted, debating)(batch).exp().double(), each.mean(0), atol=1e-6, rtol=1e-5)
