"""Rule 7: its rule on planted cuts, its runs on a few items, and its low rank against singular values by hand."""

from __future__ import annotations

import pytest
import torch

from garage_nb.core.batch import prepare
from garage_nb.core.run import logits
from garage_nb.inject.recipe import Recipe
from garage_nb.methods.claims.projected_ffn import (
    CLAIMED,
    MAGNITUDE,
    NOTHING,
    PROJECTED_FFN,
    RANDOM,
    RANK,
    WHOLE,
    cut,
    ffn_of,
    low_rank,
)  # fmt: skip
from garage_nb.methods.studies.strayed import divergence, relative_error
from garage_nb.methods.verdict import FAILS, HOLDS
from garage_nb.registry.lift import lift
from tests.families import prompt, tiny
from tests.methods.claims.trying import demand_sound, differs, ground_for
from tests.methods.synthetic import World
from tests.methods.worlds import flat, rulings

ARMS = (cut(MAGNITUDE, CLAIMED), cut(RANDOM, CLAIMED), cut(RANK, CLAIMED), NOTHING, WHOLE)


def test_a_cut_that_keeps_answers_and_beats_the_others_holds() -> None:
    rule = PROJECTED_FFN.design(ground_for(PROJECTED_FFN)).rule
    good = {ARMS[0]: 8.0, WHOLE: 8.0}

    assert set(rule.arms) == set(ARMS)
    assert rulings(rule, World(effects=flat(ARMS, **good), items=300, luck=0.0), 3)[HOLDS] == 3
    as_good = flat(ARMS, **good, **{NOTHING: 8.0})  # the ffn did not matter
    assert rulings(rule, World(effects=as_good, items=300, luck=0.0), 3)[HOLDS] == 0
    worse = flat(ARMS, **{ARMS[0]: 1.0, WHOLE: 4.0})
    assert rulings(rule, World(effects=worse, items=300, luck=0.0), 3)[FAILS] == 3


def test_it_runs_on_a_users_own_items() -> None:
    trial = demand_sound(PROJECTED_FFN)

    def mean(reading: str, arm: str) -> float:
        return float(trial.outcomes.readings[reading][:, trial.outcomes.arms.index(arm)].mean())

    assert mean("relative_error", WHOLE) == mean("kl", WHOLE) == 0
    assert mean("relative_error", NOTHING) == pytest.approx(1)
    assert 0 < mean("relative_error", cut(MAGNITUDE, 0.5)) < mean("relative_error", cut(MAGNITUDE, CLAIMED)) < 1
    assert mean("relative_error", cut(RANK, 0.5)) == pytest.approx(0, abs=1e-5)  # of a rank no matrix exceeds
    assert differs(trial, cut(RANDOM, CLAIMED))


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_low_rank_is_that_of_the_last_matrix(family: str) -> None:
    lifted, changed = lift(tiny(family)), tiny(family)
    weight = changed.get_submodule(str(lifted.spec.parts["ffn_1"].extra_info["projection"])).weight
    with torch.no_grad():
        u, s, v = torch.linalg.svd(weight, full_matrices=False)
        weight.copy_(u[:, :3] * s[:3] @ v[:3])
        wanted = changed(prompt()).logits

    found = logits(
        lifted.model, prepare(prompt(), lifted.model), Recipe((low_rank(lifted, "ffn_1", 3),)).taps(lifted.spec)
    )

    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_how_far_it_strays_is_that_of_every_text_alone() -> None:
    ground = ground_for(PROJECTED_FFN)
    target, part = ground.target, ffn_of(ground)
    edit, texts = low_rank(target, part, 3), ["1 2 3", "a b c d e"]
    for reading in (divergence(target, edit), relative_error(target, part, edit)):
        both = reading(prepare(texts, target.model, target.tokenizer))
        each = [float(reading(prepare([text], target.model, target.tokenizer))) for text in texts]

        assert both.tolist() == pytest.approx(each, rel=1e-3)
        assert min(each) > 0
