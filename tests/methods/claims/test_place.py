"""Rule 1: what its rules say of planted places, and its runs on a few items."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from garage_nb.errors import InputError
from garage_nb.methods.claims.place import INTERIOR_PEAK, LAYER_N_MINUS_4, half_at, layers, whole_at
from garage_nb.methods.rules.beats import Beats
from garage_nb.methods.rules.interior_maximum import InteriorMaximum
from garage_nb.methods.studies.answering import alone
from garage_nb.methods.studies.ground import SIBLING
from garage_nb.methods.studies.papers import Papers
from garage_nb.methods.verdict import FAILS, HOLDS, verdict
from garage_nb.registry.lift import lift
from tests.families import tiny
from tests.methods.blades.grounds import ground, live
from tests.methods.claims.trying import demand_sound, differs, ground_for, model, tried
from tests.methods.synthetic import World
from tests.methods.worlds import flat, rulings

HALVES = tuple(half_at(layer) for layer in range(5))


def test_the_named_layer_must_beat_every_other() -> None:
    rule = LAYER_N_MINUS_4.design(ground_for(LAYER_N_MINUS_4)).rule

    assert isinstance(rule, Beats)
    assert (rule.treatment, rule.controls) == (HALVES[1], (HALVES[0], *HALVES[2:]))
    assert rulings(rule, World(effects=flat(HALVES, **{HALVES[1]: 2.0}), items=120), 20)[HOLDS] >= 18
    second = flat(HALVES, **{HALVES[1]: 2.0, HALVES[4]: 2.0})
    assert rulings(rule, World(effects=second, items=120), 20)[HOLDS] <= 1
    assert rulings(rule, World(effects=flat(HALVES, **{HALVES[4]: 2.0}), items=300), 10)[FAILS] >= 9


def test_a_rise_to_the_last_layer_is_no_peak() -> None:
    rule = INTERIOR_PEAK.design(ground_for(INTERIOR_PEAK)).rule
    rising = World(effects={name: 0.8 * place for place, name in enumerate(HALVES)}, items=400)
    peak = World(effects=flat(HALVES, **{HALVES[2]: 2.5}), items=200)

    assert isinstance(rule, InteriorMaximum)
    assert rule.along == HALVES
    assert rulings(rule, peak, 20)[HOLDS] >= 18
    assert rulings(rule, rising, 10) == {FAILS: 10}
    told = verdict(rule.hurdles(next(rising.outcomes(1)), range(400), 0)).why
    assert "monotone: no peak" in told
    assert "monotone" not in verdict(rule.hurdles(next(peak.outcomes(1)), range(200), 0)).why


def test_it_runs_on_a_users_own_items() -> None:
    trial = demand_sound(LAYER_N_MINUS_4)

    assert not differs(trial, half_at(2))
    assert all(differs(trial, arm) for arm in ("source shuffled", "random direction", "noise"))
    assert "of 5 it is at 20 %" in trial.claim.protocol
    assert trial.apart == ("arithmetic", "copy")


def test_whole_at_the_last_layer_is_the_source_with_the_targets_head() -> None:
    """So what it says is what the source's last hidden states are to the target's norm and head."""
    asked = ground_for(INTERIOR_PEAK)
    source, target = (model(name).model for name in ("showroom-llama-sorting", "showroom-llama"))
    papers = Papers.of(asked.target, asked.test["sorting"][:6])
    runs = {run.arm: run for run in INTERIOR_PEAK.study(asked, INTERIOR_PEAK.quick).runs}  # type: ignore[attr-defined]

    def stitched(batch):  # type: ignore[no-untyped-def]
        seen = []
        hook = source.model.layers[-1].register_forward_hook(lambda module, args, output: seen.append(output))
        try:
            with torch.no_grad():
                source(input_ids=batch.input_ids, attention_mask=batch.attention_mask)
                hidden = seen[0][0] if isinstance(seen[0], tuple) else seen[0]
                return target.lm_head(target.model.norm(hidden))
        finally:
            hook.remove()

    found = papers.marked(runs[whole_at(4)].answering(0))
    assert torch.allclose(found.log_probs, papers.marked(stitched).log_probs, atol=1e-4)
    assert not torch.allclose(found.log_probs, papers.marked(alone(asked.target)).log_probs, atol=1e-2)


@pytest.mark.parametrize(
    ("family", "dtype"), [("gpt2", torch.float32), ("mixtral", torch.bfloat16), ("gemma2", torch.float32)]
)
def test_any_family_is_a_ground(family: str, dtype: torch.dtype) -> None:
    """Items of unlike length, side by side; `run` refuses a self-blade that does anything."""
    target, source = live(family, layers=5), live(family, 1, layers=5)
    for one in (target, source):
        one.model.to(dtype)
    asked = replace(ground(target), others={SIBLING: source})

    trial = tried(INTERIOR_PEAK, asked)

    runs = trial.outcomes
    values = [tuple(runs.log_probs[0, runs.arms.index(arm)].tolist()) for arm in ("target", *HALVES)]
    assert len(set(values)) == 6


@pytest.mark.parametrize(("count", "expected"), [(5, [*range(5)]), (12, [*range(12)])])
def test_few_layers_are_all_tried(count: int, expected: list[int]) -> None:
    assert layers(lift(tiny("llama", layers=count))) == expected


def test_of_many_layers_some_are_tried_and_the_named_one_always() -> None:
    found = layers(lift(tiny("gpt2", layers=33)))

    assert found[0] == 0
    assert found[-1] == 32
    assert 29 in found
    assert len(found) <= 12


def test_too_few_layers_have_none_between() -> None:
    asked = ground_for(INTERIOR_PEAK)
    shallow = replace(asked.target, spec=replace(asked.target.spec, num_layers=4))

    with pytest.raises(InputError, match=r"has 4 layers, .*\nTake a model of 5"):
        INTERIOR_PEAK.claim(replace(asked, target=shallow))
