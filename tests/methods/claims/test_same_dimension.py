"""Rule 2: what its rule says of planted truths, what it runs, and that a random rotation is one."""

from __future__ import annotations

import pytest

from garage_nb.errors import InputError
from garage_nb.methods.claims.same_dimension import SAME_DIMENSION, as_it_is, turned_about, whole
from garage_nb.methods.studies.ground import COPY, OTHER_CLASS, STRANGER
from garage_nb.methods.studies.own_ground import own_ground
from garage_nb.methods.trial import Trial
from garage_nb.methods.verdict import FAILS, HOLDS, UNDECIDED
from tests.methods.claims.trying import demand_sound, differs, exercises, ground_for, model
from tests.methods.synthetic import World
from tests.methods.worlds import flat, rulings

THERE, AWAY, KNOWN, LOST = as_it_is(STRANGER), turned_about(STRANGER), as_it_is(COPY), turned_about(COPY)
ARMS = (THERE, AWAY, KNOWN, LOST)


def likely(trial: Trial, arm: str) -> float:
    """Mean log-probability of the answers, nats."""
    return float(trial.outcomes.log_probs[:, trial.outcomes.arms.index(arm)].mean())


def test_the_stranger_must_beat_itself_turned_where_a_copy_does() -> None:
    rule = SAME_DIMENSION.design(ground_for(SAME_DIMENSION)).rule
    seen = {KNOWN: 2.0, LOST: -1.0}

    assert set(rule.arms) == set(ARMS)
    assert rulings(rule, World(effects=flat(ARMS, **seen, **{THERE: 2.5})), 20)[HOLDS] >= 18
    assert rulings(rule, World(effects=flat(ARMS, **seen), items=1000, luck=0.0), 10)[FAILS] == 10
    assert rulings(rule, World(effects=flat(ARMS, **{THERE: 2.5})), 20)[UNDECIDED] >= 19


def test_it_runs_on_a_users_own_items() -> None:
    trial = demand_sound(SAME_DIMENSION)

    for role in (STRANGER, OTHER_CLASS, COPY):
        assert differs(trial, turned_about(role))
        assert not differs(trial, as_it_is(role))
        assert likely(trial, as_it_is(role)) != likely(trial, whole(role))
    assert likely(trial, KNOWN) > likely(trial, LOST) + 1


def test_it_says_which_models_it_takes() -> None:
    with pytest.raises(InputError, match="takes: a model of the same class"):
        own_ground(model("showroom-llama"), [], SAME_DIMENSION.needs, exercises(), [])
