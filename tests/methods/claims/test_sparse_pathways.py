"""Sparse pathways: their rule on planted masks, their runs on a few items, and which neurons stay, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from garage_nb.core.batch import prepare
from garage_nb.core.run import read
from garage_nb.core.sites import Read
from garage_nb.errors import InputError
from garage_nb.inject.recipe import Recipe
from garage_nb.methods.claims.sparse_pathways import GLOBAL, OTHER, OWN, RANDOM, SPARSE_PATHWAYS, _by_token
from garage_nb.methods.studies.neurons import TOLD, Neurons
from garage_nb.methods.verdict import FAILS, HOLDS
from tests.methods.claims.trying import demand_sound, differs, ground_for
from tests.methods.synthetic import World
from tests.methods.worlds import flat, rulings

ARMS = (OWN, RANDOM, OTHER, GLOBAL)
HALF = SPARSE_PATHWAYS[0]


def test_a_mask_that_beats_every_other_holds() -> None:
    rule = HALF.design(ground_for(HALF)).rule

    assert set(rule.arms) == set(ARMS)
    assert rulings(rule, World(effects=flat(ARMS, **{OWN: 2.0}), items=150), 10)[HOLDS] >= 9
    as_good = flat(ARMS, **{OWN: 2.0, GLOBAL: 2.0})
    assert rulings(rule, World(effects=as_good, items=150), 20)[HOLDS] <= 1
    assert rulings(rule, World(effects=flat(ARMS, **{OWN: -2.0}), items=150), 5)[FAILS] == 5


@pytest.mark.parametrize("proposal", [HALF, pytest.param(SPARSE_PATHWAYS[2], marks=pytest.mark.slow)])
def test_they_run_on_a_users_own_items(proposal) -> None:  # type: ignore[no-untyped-def]
    trial = demand_sound(proposal)

    assert differs(trial, RANDOM)
    own, other, each = (trial.outcomes.log_probs[0, trial.outcomes.arms.index(arm)] for arm in (OWN, OTHER, GLOBAL))
    assert not torch.equal(own, other)
    assert not torch.equal(own, each)


def test_neurons_are_scored_by_their_mean_size_on_items_to_fit_on() -> None:
    ground = ground_for(HALF)
    lifted, neurons = ground.target, Neurons(ground)
    sums, count = torch.zeros(len(neurons.reaches["ffn_2"])).double(), 0
    for one in ground.fit["sorting"][:TOLD]:
        seen: list[torch.Tensor] = []
        text = "".join(one.ways[0])
        reads = [Read(lifted.spec.site("ffn_2.neurons"), lambda hidden, seen=seen: seen.append(hidden.double()))]
        read(lifted.model, prepare([text], lifted.model, lifted.tokenizer), reads)
        sums, count = sums + seen[0].abs().sum((0, 1)), count + seen[0].shape[1]

    torch.testing.assert_close(neurons.sizes("sorting")["ffn_2"], sums / count, atol=1e-5, rtol=1e-4)
    both = (
        neurons.sizes("sorting")["ffn_2"] + neurons.sizes("arithmetic")["ffn_2"] + neurons.sizes("copy")["ffn_2"]
    ) / 3
    torch.testing.assert_close(neurons.sizes()["ffn_2"], both)


def test_the_choice_by_token_keeps_as_many_as_a_mask() -> None:
    ground = ground_for(HALF)
    lifted, seen = ground.target, dict[str, torch.Tensor]()
    reads = [Read(lifted.spec.site("ffn_2.neurons"), lambda hidden: seen.update(found=hidden))]
    edits = Recipe(tuple(_by_token(Neurons(ground), 0.3))).taps(lifted.spec)

    read(lifted.model, prepare(["1 2 3"], lifted.model, lifted.tokenizer), [*edits, *reads])

    width = seen["found"].shape[-1]
    assert set((seen["found"] != 0).sum(-1).flatten().tolist()) == {round(0.3 * width)}


def test_another_domain_has_items_to_fit_on() -> None:
    ground = ground_for(HALF)
    with pytest.raises(InputError, match="There are no items of 'arithmetic' to fit on"):
        HALF.claim(replace(ground, fit={"sorting": ground.fit["sorting"]}))


def test_one_domain_has_no_other() -> None:
    with pytest.raises(InputError, match="no other to choose neurons by"):
        HALF.claim(replace(ground_for(HALF), other_domain=""))
