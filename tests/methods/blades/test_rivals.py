"""A rival is beaten, better, or not told apart, by what was planted."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from garage_nb.analyze.false_discovery import benjamini_hochberg
from garage_nb.core.seed import seeded
from garage_nb.methods.blades.arms import ADAPTER, BLADE, ENSEMBLE, MERGE, SOURCE_ALONE, TARGET
from garage_nb.methods.blades.rivals import BEATEN, BEATS, OPEN, cheaper, rivals, rivals_table
from garage_nb.methods.claim import Arm, Claim, Role
from garage_nb.methods.measure import LOG_PROB
from garage_nb.methods.outcomes import Item, Marks, Outcomes
from garage_nb.methods.rules.beats import Beats
from garage_nb.methods.trial import Trial

LEADS = {SOURCE_ALONE: -1.0, ENSEMBLE: 1.0, MERGE: 0.0, ADAPTER: 2.0}


def planted(leads: dict[str, float] = LEADS) -> Trial:
    """The blade leads its rivals by so much, with noise of 0.5 an item."""
    arms = [Arm(TARGET, Role.NO_OP), Arm(BLADE, Role.TREATMENT), *(Arm(name, Role.BASELINE) for name in leads)]
    rule = Beats(treatment=BLADE, controls=(TARGET,), margin=0.1, measure=LOG_PROB)
    claim = Claim(
        key="blade", statement="-", source="-", protocol="-", arms=tuple(arms), rule=rule, target=("near",)
    )  # fmt: skip
    items = [Item("near", str(one)) for one in range(60)] + [Item("far", str(one)) for one in range(10)]
    made = seeded(3)

    def marks(value: float, share: float) -> Marks:
        noise = torch.randn(70, generator=made) * 0.5
        return Marks(right=torch.arange(70) % 60 < 60 * share, log_probs=(-9 + value + noise).double())

    runs = {TARGET: marks(-3, 0.1), BLADE: marks(0, 0.8), **{name: marks(-lead, 0.5) for name, lead in leads.items()}}
    return Trial(claim=claim, outcomes=Outcomes.of("blade", "m", items, {0: runs}), model_id="m")


def alone() -> Trial:
    """Of a blade that has no rival."""
    trial = planted()
    arms = tuple(arm for arm in trial.claim.arms if arm.role is not Role.BASELINE)
    return replace(trial, claim=replace(trial.claim, arms=arms))


def test_rulings_follow_what_was_planted() -> None:
    found = {one.name: one for one in rivals(planted())}

    assert {name: one.ruling for name, one in found.items()} == {
        SOURCE_ALONE: BEATEN, ENSEMBLE: BEATS, MERGE: OPEN, ADAPTER: BEATS
    }  # fmt: skip
    for name, lead in LEADS.items():
        assert found[name].lead.value == pytest.approx(lead, abs=0.3)
    assert (found[MERGE].accuracy, found[MERGE].elsewhere) == (0.5, 1.0)


def test_a_lead_is_told_by_p_adjusted_over_all_rivals() -> None:
    found = rivals(planted())
    ps = [one.lead.p for one in found]

    expected = benjamini_hochberg(torch.tensor(ps, dtype=torch.float64)).tolist()

    assert [one.adjusted for one in found] == expected != ps
    sure = next(one for one in found if one.name == ENSEMBLE)
    assert (sure.ruling, replace(sure, adjusted=0.06).ruling) == (BEATS, OPEN)
    assert rivals(alone()) == []


def test_what_is_as_good_for_fewer_forwards_is_named() -> None:
    assert [one.name for one in cheaper(planted(), 2)] == [SOURCE_ALONE, MERGE]
    assert cheaper(planted(), 1) == []


def test_a_lead_that_its_interval_does_not_bear_out_is_not_worth_more_forwards() -> None:
    """However large by its value; and one that it bears out is, however small."""
    unsure, sure = (planted({**LEADS, MERGE: lead}) for lead in (0.15, 0.45))

    one, other = (next(one for one in rivals(trial) if one.name == MERGE) for trial in (unsure, sure))

    assert one.lead.low < 0 < unsure.claim.rule.margin < one.lead.value
    assert MERGE in [one.name for one in cheaper(unsure, 2)]
    assert other.lead.low > 0
    assert MERGE not in [one.name for one in cheaper(sure, 2)]


def test_the_table_has_target_blade_and_rivals() -> None:
    table = rivals_table(planted(), 2)

    assert list(table.names) == [TARGET, BLADE, *LEADS]
    heads = {column.head: column.values for column in table.columns}
    assert heads["forwards"] == [1, 2, 1, 2, 1, 1]
    assert math.isnan(float(heads["95 % from"][0]))


def test_without_other_domains_there_is_no_elsewhere() -> None:
    trial = planted()
    near = [place for place, item in enumerate(trial.outcomes.items) if item.domain == "near"]
    runs = trial.outcomes
    alone = replace(
        runs, items=tuple(runs.items[place] for place in near), right=runs.right[..., near],
        log_probs=runs.log_probs[..., near],
    )  # fmt: skip

    assert all(math.isnan(one.elsewhere) for one in rivals(replace(trial, outcomes=alone)))
