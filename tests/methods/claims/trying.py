"""Claims on the embedded models and a handful of items, and what must be so of every one of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import islice

import torch
from torch import Tensor

from garage_nb.analyze.judging.exercise import Exercise
from garage_nb.garage.showroom_ground import MODELS
from garage_nb.methods.claim import Effort, Role
from garage_nb.methods.proposal import Proposal
from garage_nb.methods.studies.ground import EXPERTS, Ground
from garage_nb.methods.studies.own_ground import own_ground
from garage_nb.methods.trial import Trial
from garage_nb.registry.lift import Lifted, lift
from garage_nb.showroom import corpus

FEW = Effort(4, 2, 2)


@cache
def model(name: str) -> Lifted:
    """To be left as it was."""
    return lift(name)


@cache
def exercises() -> list[Exercise]:
    found: list[Exercise] = []
    for domain, level in (("sorting", "hard"), ("arithmetic", "hard"), ("copy", "standard")):
        drawn = corpus.stream(domain, split="train", level=level, seed="few")
        found += dict.fromkeys(item.exercise for item in islice(drawn, 40))
    return found


def ground_for(proposal: Proposal) -> Ground:
    """As a user's own: the models in the order that the claim takes them."""
    others = [model(MODELS[role]) for role in proposal.needs if role != EXPERTS]
    target = model(MODELS[EXPERTS] if EXPERTS in proposal.needs else "showroom-llama")
    return own_ground(target, others, proposal.needs, exercises(), ["sorting", "arithmetic"])


def tried(proposal: Proposal, ground: Ground, seed: int = 0) -> Trial:
    return replace(proposal, quick=FEW).tried(ground, seed=seed)


def bits(ground: Ground) -> list[Tensor]:
    return [
        weight.clone() for one in (ground.target, *ground.others.values()) for weight in one.model.state_dict().values()
    ]


def demand_sound(proposal: Proposal) -> Trial:
    """It runs, twice the same; what does nothing does nothing; models and the global numbers stay as they were."""
    ground = ground_for(proposal)
    before, state = bits(ground), torch.get_rng_state()

    first, again = tried(proposal, ground, 3), tried(proposal, ground, 3)

    assert first.outcomes.frame().equals(again.outcomes.frame())
    assert repr(first) == repr(again)
    assert first.outcomes.seeds == (3, 4)
    none, *others = (first.outcomes.arms.index(arm) for arm in first.claim.named(Role.NO_OP))
    for other in others:
        assert torch.equal(first.outcomes.log_probs[:, none], first.outcomes.log_probs[:, other])
    assert others
    assert all(torch.equal(a, b) for a, b in zip(before, bits(ground), strict=True))
    assert torch.equal(torch.get_rng_state(), state)
    return first


def differs(trial: Trial, arm: str) -> bool:
    """From one seed to the other."""
    values = trial.outcomes.log_probs[:, trial.outcomes.arms.index(arm)]
    return not torch.equal(values[0], values[1])
