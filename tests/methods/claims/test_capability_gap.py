"""Rule 3: what its rule says of planted gaps, also where pairs only share their models, and its runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import torch
from torch import Tensor

from garage_nb.methods.claims.capability_gap import CAPABILITY_GAP, GAIN, GAP, MODELS, PAIRS
from garage_nb.methods.outcomes import Outcomes
from garage_nb.methods.rules.correlates import Correlates
from garage_nb.methods.rules.correlates_over_pairs import CorrelatesOverPairs
from garage_nb.methods.rules.rule import Rule
from garage_nb.methods.studies.answering import alone, merged
from garage_nb.methods.studies.mixing import mixed_in
from garage_nb.methods.studies.papers import Papers
from garage_nb.methods.verdict import FAILS, HOLDS, verdict
from tests.methods.claims.trying import demand_sound, ground_for
from tests.methods.synthetic import World

NULLS, MOST = 200, 0.07


def rule() -> CorrelatesOverPairs:
    found = CAPABILITY_GAP.design(ground_for(CAPABILITY_GAP)).rule
    assert isinstance(found, CorrelatesOverPairs)
    return found


def outcomes(gaps: dict[str, float], gains: dict[str, float], seed: int) -> Outcomes:
    """Readings as a study has them: items of unlike difficulty around what is planted."""
    one = next(World(effects=dict.fromkeys(PAIRS, 0.0), items=40, seeds=1).outcomes(1, seed))
    made = torch.Generator().manual_seed(seed)
    shape = (1, len(PAIRS), 40)
    planted = {GAP.name: gaps, GAIN.name: gains}

    def reading(values: dict[str, float]) -> Tensor:
        mean = torch.tensor([values[arm] for arm in PAIRS])[None, :, None].double()
        return mean + 0.2 * torch.randn(shape, generator=made)

    return replace(one, readings={name: reading(values) for name, values in planted.items()})


def ruled(planted: float, count: int, by: Rule) -> Counter[str]:
    """`planted` of the gap is gain; the rest are luck of each model as a target, as a source, and of each pair."""
    found: Counter[str] = Counter()
    for seed in range(count):
        made = torch.Generator().manual_seed(seed)
        ability, as_target, as_source = torch.randn(3, len(MODELS), generator=made).tolist()
        luck = (0.2 * torch.randn(len(PAIRS), generator=made)).tolist()
        gaps = {arm: ability[b] - ability[a] for arm, (a, b) in PAIRS.items()}
        rest = {arm: as_target[a] + as_source[b] + luck[at] for at, (arm, (a, b)) in enumerate(PAIRS.items())}
        gains = {arm: planted * gaps[arm] + (0.2 if planted else 1.0) * rest[arm] for arm in PAIRS}
        found[verdict(by.hurdles(outcomes(gaps, gains, seed), range(40), 0)).ruling] += 1
    return found


def test_a_gap_that_matters_is_found() -> None:
    assert ruled(1.0, 20, rule())[HOLDS] >= 18


def test_a_gap_that_harms_does_not_hold() -> None:
    assert ruled(-1.0, 20, rule())[FAILS] >= 18


def test_models_that_differ_in_what_they_give_and_take_are_no_relation() -> None:
    """Where the pairs are counted as thirty, a relation is said to hold far too often."""
    by_arms = Correlates(among=tuple(PAIRS), by=GAP, measure=GAIN, margin=0.5)

    assert ruled(0.0, NULLS, rule())[HOLDS] <= MOST * NULLS
    assert ruled(0.0, 40, by_arms)[HOLDS] > 2 * MOST * 40


def test_it_runs_on_a_users_own_items() -> None:
    trial = demand_sound(CAPABILITY_GAP)

    assert len(PAIRS) == 30
    assert trial.verdict.hurdle.effect.n == len(MODELS)
    runs = trial.outcomes
    for arm, (a, b) in PAIRS.items():
        place, target, source = (runs.arms.index(one) for one in (arm, MODELS[a], MODELS[b]))
        assert torch.equal(
            runs.readings[GAP.name][:, place], runs.right[:, source].double() - runs.right[:, target].double()
        )
        assert torch.equal(runs.readings[GAIN.name][:, place], runs.log_probs[:, place] - runs.log_probs[:, target])
    assert not runs.readings[GAIN.name][:, runs.arms.index("target")].any()


def test_a_pair_is_half_of_one_merge_in_another() -> None:
    ground = ground_for(CAPABILITY_GAP)
    source = ground.other("sibling")
    papers = Papers.of(ground.target, ground.test["sorting"][:6])
    study = CAPABILITY_GAP.study(ground, CAPABILITY_GAP.quick)
    runs = {run.arm: run for run in study.course.runs}  # type: ignore[attr-defined]

    found = papers.marked(runs["80% into 20%"].answering(0))

    low, high = (merged(ground.target, source, share) for share in (0.2, 0.8))
    expected = papers.marked(alone(low, mixed_in(low, "layer_1", high, 0.5)))
    assert torch.equal(found.log_probs, expected.log_probs)
