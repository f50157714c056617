"""Rule 4: what its rule says of planted truths, and its runs on a few items."""

from __future__ import annotations

import pytest

from garage_nb.methods.claims.gated_over_identity import ADAPTER, GATED, GATED_OVER_IDENTITY, IDENTITY
from garage_nb.methods.verdict import FAILS, HOLDS
from tests.methods.claims.trying import demand_sound, differs, ground_for
from tests.methods.synthetic import World
from tests.methods.worlds import flat, rulings


def test_the_gate_must_beat_the_best_dose_and_every_placebo() -> None:
    rule = GATED_OVER_IDENTITY.design(ground_for(GATED_OVER_IDENTITY)).rule
    controls = tuple(arm for arm in rule.arms if arm != GATED)

    assert IDENTITY in controls
    assert rulings(rule, World(effects=flat(rule.arms, **{GATED: 2.0})), 20)[HOLDS] >= 18
    for one in controls:
        alike = flat(rule.arms, **{GATED: 2.0, one: 2.0})
        assert rulings(rule, World(effects=alike), 10)[HOLDS] <= 1
    assert rulings(rule, World(effects=flat(rule.arms, **{IDENTITY: 2.0}), items=300), 10)[FAILS] == 10


@pytest.mark.slow
def test_it_runs_on_a_users_own_items() -> None:
    trial = demand_sound(GATED_OVER_IDENTITY)

    assert all(differs(trial, arm) for arm in (GATED, ADAPTER))
    assert not differs(trial, IDENTITY)
