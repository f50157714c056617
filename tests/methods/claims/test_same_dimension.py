"""Rule 2: what its rule says of planted truths, what it runs, and that a random rotation is one."""

from __future__ import annotations

import pytest

from garage_nb.errors import InputError
from garage_nb.methods.claims.same_dimension import AS_IT_IS, KIN, SAME_DIMENSION, TURNED
from garage_nb.methods.studies.own_ground import own_ground
from garage_nb.methods.studies.usual import TARGET
from garage_nb.methods.verdict import FAILS, HOLDS
from tests.methods.claims.trying import demand_sound, differs, exercises, ground_for, model
from tests.methods.synthetic import World
from tests.methods.worlds import flat, rulings

ARMS = (AS_IT_IS, TURNED, TARGET)


def test_the_stranger_must_beat_itself_turned_and_the_target() -> None:
    rule = SAME_DIMENSION.design(ground_for(SAME_DIMENSION)).rule

    assert set(rule.arms) == set(ARMS)
    assert rulings(rule, World(effects=flat(ARMS, **{AS_IT_IS: 2.0})), 20)[HOLDS] >= 18
    better_than_turned = World(effects=flat(ARMS, **{TURNED: -2.0}))
    assert rulings(rule, better_than_turned, 20)[HOLDS] <= 1
    assert rulings(rule, World(effects=flat(ARMS, **{AS_IT_IS: -2.0}), items=200), 10)[FAILS] == 10


def test_it_runs_on_a_users_own_items() -> None:
    trial = demand_sound(SAME_DIMENSION)

    assert differs(trial, TURNED)
    assert not differs(trial, AS_IT_IS)
    assert trial.mean(KIN) >= trial.mean(AS_IT_IS)


def test_it_says_which_models_it_takes() -> None:
    with pytest.raises(InputError, match="takes: a model of the same class"):
        own_ground(model("showroom-llama"), [], SAME_DIMENSION.needs, exercises(), [])
