"""Rule 5: what its rules say of planted interactions, and its runs on a few items."""

from __future__ import annotations

from dataclasses import replace

import pytest

from garage_nb.errors import InputError
from garage_nb.inject.blades.edit import BladeEdit
from garage_nb.methods.claims import synergy
from garage_nb.methods.claims.synergy import BOTH, CROSS_DOMAIN_INTERFERENCE, PLACEBO, SAME_DOMAIN_SYNERGY
from garage_nb.methods.studies.mixing import mixed_in, twice
from garage_nb.methods.studies.usual import TARGET
from garage_nb.methods.verdict import FAILS, HOLDS
from tests.methods.claims.trying import demand_sound, differs, ground_for, model
from tests.methods.synthetic import World
from tests.methods.worlds import flat, rulings

TWICE_A, TWICE_B = synergy.TWICE_A, synergy.TWICE_B
ARMS = (TARGET, synergy.A, synergy.B, BOTH, TWICE_A, TWICE_B)
SUM = flat(ARMS)


def test_synergy_is_more_than_the_sum_and_than_twice_the_dose() -> None:
    rule = SAME_DOMAIN_SYNERGY.design(ground_for(SAME_DOMAIN_SYNERGY)).rule

    assert set(rule.arms) == set(ARMS)
    assert rulings(rule, World(effects={**SUM, BOTH: 3.0}), 20)[HOLDS] >= 18
    by_dose = {**SUM, BOTH: 2.0, TWICE_A: 2.0, TWICE_B: 2.0}
    assert rulings(rule, World(effects=by_dose), 20)[HOLDS] <= 1
    assert rulings(rule, World(effects={**SUM, BOTH: -2.0}, items=300), 10)[FAILS] == 10


def test_interference_is_less_than_the_sum_and_than_twice_the_dose() -> None:
    rule = CROSS_DOMAIN_INTERFERENCE.design(ground_for(CROSS_DOMAIN_INTERFERENCE)).rule
    none = {**SUM, synergy.C: 0.0, synergy.A_AND_C: 0.0}

    assert rulings(rule, World(effects={**none, BOTH: -2.0}), 20)[HOLDS] >= 18
    assert rulings(rule, World(effects={**none, BOTH: -2.0, TWICE_A: -2.0, TWICE_B: -2.0}), 20)[HOLDS] <= 1
    assert rulings(rule, World(effects={**none, BOTH: 3.0}, items=300), 10)[FAILS] == 10


def test_interference_that_two_of_one_domain_have_as_well_is_none_of_two_domains() -> None:
    rule = CROSS_DOMAIN_INTERFERENCE.design(ground_for(CROSS_DOMAIN_INTERFERENCE)).rule

    both = {**SUM, BOTH: -2.0, synergy.C: 0.0, synergy.A_AND_C: -2.0}

    assert rulings(rule, World(effects=both), 20)[HOLDS] <= 1


@pytest.mark.parametrize("proposal", [SAME_DOMAIN_SYNERGY, CROSS_DOMAIN_INTERFERENCE], ids=lambda one: str(one.key))
def test_they_run_on_a_users_own_items(proposal) -> None:  # type: ignore[no-untyped-def]
    trial = demand_sound(proposal)

    assert differs(trial, PLACEBO)
    values = {arm: trial.outcomes.log_probs[0, trial.outcomes.arms.index(arm)] for arm in ARMS}
    assert len({tuple(one.tolist()) for one in values.values()}) == len(ARMS)


def test_twice_is_the_same_blade_twice_as_strong() -> None:
    edit = mixed_in(model("showroom-llama"), "layer_1", model("showroom-llama-sorting"), 0.1)

    double = twice(edit)

    assert isinstance(double, BladeEdit)
    assert (double.alpha, double.blade, double.at) == (0.2, edit.blade, edit.at)


def test_two_places_take_three_layers() -> None:
    ground = ground_for(SAME_DOMAIN_SYNERGY)
    shallow = replace(ground.target, spec=replace(ground.target.spec, num_layers=2))

    with pytest.raises(InputError, match="Two places take three layers"):
        SAME_DOMAIN_SYNERGY.claim(replace(ground, target=shallow))
