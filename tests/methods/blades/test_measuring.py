"""What is measured of a blade: the numbers are a naive loop's, and a blade on itself is nothing at all."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from garage_nb.core.fingerprint import AtRest
from garage_nb.errors import EditError, InputError
from garage_nb.inject.blades.blade import Blade
from garage_nb.inject.blades.edit import BladeEdit
from garage_nb.inject.blades.files import load_blade, save_blade
from garage_nb.inject.blades.fitting.training import Training
from garage_nb.inject.blades.kinds.sae_feature import sae_blade
from garage_nb.inject.sae import Sae
from garage_nb.methods.blades.arms import (
    ADAPTER,
    ANEW,
    BLADE,
    DIRECTION,
    ENSEMBLE,
    LABELS,
    MERGE,
    NOISE,
    OF_SHUFFLED,
    SELF,
    SHUFFLED,
    SOURCE_ALONE,
    SOURCE_FREE,
    TARGET,
    Arms,
)  # fmt: skip
from garage_nb.methods.blades.making import HOW, SOURCE, Making
from garage_nb.methods.blades.measuring import measure
from garage_nb.methods.claim import Effort
from garage_nb.methods.measure import LOG_PROB
from garage_nb.methods.studies.ground import Ground
from garage_nb.methods.studies.placebos import scrambled
from garage_nb.methods.trial import Trial
from tests.families import HIDDEN
from tests.inject.blades.making import EVIDENCE
from tests.methods.blades.grounds import ground, live, log_probs
from tests.restored import left_as_it_was

FEW = Effort(8, seeds=1)
SHORT = replace(HOW, steps=3)
ALWAYS = {TARGET, BLADE, DIRECTION, NOISE}
TWO = ALWAYS | {SOURCE_ALONE, ENSEMBLE, MERGE, SHUFFLED, SOURCE_FREE, ADAPTER}
WANTED = {
    "transplant": TWO | {SELF},
    "gated": TWO | {SELF, ANEW, OF_SHUFFLED},
    "projected": TWO | {OF_SHUFFLED},
    "ffn_output": TWO | {OF_SHUFFLED},
    "low_rank": ALWAYS | {ANEW, LABELS},
    "direction": ALWAYS | {ADAPTER, LABELS},
}
FAMILY = {
    "transplant": "llama", "gated": "gpt2", "projected": "mixtral", "ffn_output": "gpt2", "low_rank": "mixtral",
    "direction": "qwen3",
}  # fmt: skip


@cache
def here(kind: str) -> Ground:
    target = live(FAMILY[kind])
    return ground(target, live(FAMILY[kind], 1) if SOURCE_ALONE in WANTED[kind] else None)


@cache
def blade_of(kind: str) -> Blade:
    place = "ffn_1" if kind == "ffn_output" else "layer_1"
    return Making(name="edge", kind=kind, training=SHORT).at(place, here(kind))


@cache
def measured(kind: str) -> tuple[Blade, Trial]:
    with left_as_it_was(here(kind).target.model):
        return measure(blade_of(kind), here(kind), effort=FEW)


@pytest.mark.parametrize("kind", WANTED)
def test_every_arm_that_makes_sense_is_run(kind: str) -> None:
    blade, trial = measured(kind)

    assert set(trial.outcomes.arms) == WANTED[kind]
    assert blade.evidence is not None
    first, *others = blade.evidence.arms
    assert (first.name, first.effect, first.accuracy) == (TARGET, 0, trial.mean(TARGET))
    assert {arm.name for arm in others} == WANTED[kind] - {TARGET}
    assert set(trial.claim.rule.arms) >= {TARGET, DIRECTION, NOISE}


@pytest.mark.parametrize("kind", WANTED)
def test_an_effect_is_the_naive_difference(kind: str) -> None:
    asked, (blade, trial) = here(kind), measured(kind)
    source = asked.others.get(SOURCE)

    edit = BladeEdit(blade.place, blade, blade.alpha, source)
    bare, under = (log_probs(asked.target, list(asked.test["near"]), *edits) for edits in ((), (edit,)))

    found = next(arm for arm in blade.evidence.arms if arm.name == BLADE) if blade.evidence else None
    assert found is not None
    assert found.n == 8
    assert found.effect == pytest.approx(float((under - bare).mean()), abs=1e-4)
    assert abs(found.effect) > 1e-4
    assert found.accuracy == trial.mean(BLADE)


def test_a_blade_on_itself_is_exactly_nothing() -> None:
    for kind in ("transplant", "gated"):
        _, trial = measured(kind)

        assert (trial.over[SELF].value, trial.over[SELF].low, trial.over[SELF].high) == (0, 0, 0)


def test_a_shuffled_source_is_the_blade_on_another_text() -> None:
    asked, (blade, trial) = here("transplant"), measured("transplant")
    edit = BladeEdit(blade.place, blade, blade.alpha, scrambled(asked.others[SOURCE], 0))

    naive = log_probs(asked.target, list(asked.test["near"]), edit)

    arm, near = trial.outcomes.arms.index(SHUFFLED), trial.outcomes.places(["near"])
    torch.testing.assert_close(trial.outcomes.log_probs[0, arm, near], naive, atol=1e-4, rtol=1e-4)


def test_the_card_says_what_it_was_measured_with() -> None:
    asked, (blade, _) = here("gated"), measured("gated")

    evidence = blade.evidence

    assert evidence is not None
    assert evidence.models == {
        "target": AtRest.of(asked.target.model).digest, "source": AtRest.of(asked.others[SOURCE].model).digest
    }  # fmt: skip
    assert (evidence.forwards, evidence.seeds) == (2, (0,))
    assert [arm.name for arm in evidence.retention] == ["far"]
    assert measured("low_rank")[0].evidence.forwards == 1  # type: ignore[union-attr]


def test_the_same_seed_measures_the_same() -> None:
    blade, trial = measure(blade_of("direction"), here("direction"), effort=FEW)

    assert blade.evidence == measured("direction")[0].evidence
    assert trial.outcomes.frame().equals(measured("direction")[1].outcomes.frame())


def test_a_source_free_blade_is_held_against_a_second_model_where_one_is_given() -> None:
    asked = replace(here("low_rank"), others={SOURCE: live("mixtral", 1)})

    names = {arm.name for arm, _ in Arms(blade_of("low_rank"), asked).tried}

    assert names == WANTED["low_rank"] | {SOURCE_ALONE, ENSEMBLE, MERGE}


def test_models_of_unlike_shapes_are_not_merged() -> None:
    asked = ground(live("llama"), live("llama", 1, intermediate_size=48))

    arms = Arms(Making(name="e", kind="transplant").at("layer_1", asked), asked)

    assert {arm.name for arm, _ in arms.tried} == WANTED["transplant"] - {MERGE}
    assert "48" in arms.left_out


def test_an_autoencoder_is_held_against_placebos_alone() -> None:
    asked = here("direction")
    tall = torch.linspace(-1, 1, HIDDEN * 4).reshape(HIDDEN, 4)
    sae = Sae("layer_1", tall, torch.zeros(4), tall.T.clone(), torch.zeros(HIDDEN), features="2=3")

    blade, _ = measure(sae_blade("turned", asked.target, sae), asked, effort=FEW)

    assert blade.evidence is not None
    assert {arm.name for arm in blade.evidence.arms} == ALWAYS


def test_other_weights_are_refused() -> None:
    asked = here("direction")
    with pytest.raises(EditError, match="was made for"):
        measure(blade_of("direction"), replace(asked, target=live("qwen3", 5)), effort=FEW)
    with pytest.raises(EditError, match="was made from"):
        measure(blade_of("gated"), replace(here("gated"), others={SOURCE: live("gpt2", 5)}), effort=FEW)
    with pytest.raises(InputError, match="reads a second model"):
        measure(blade_of("gated"), replace(here("gated"), others={}), effort=FEW)


def test_a_blade_is_fitted_anew_by_seeds_that_are_not_its_own() -> None:
    asked = here("low_rank")
    blade = Making(name="edge", kind="low_rank", training=replace(SHORT, seed=2)).at("layer_1", asked)

    runs = measure(blade, asked, effort=Effort(8, seeds=3))[1].outcomes

    own, anew = (runs.log_probs[:, runs.arms.index(arm)] for arm in (BLADE, ANEW))
    assert not any(torch.equal(a, b) for a, b in zip(own, anew, strict=True))


LONG = Training(steps=4, rate=0.01, batch=5, seed=6)


@pytest.mark.parametrize(
    "making",
    [
        Making(name="e", kind="low_rank", rank=2, training=LONG),
        Making(name="e", kind="gated", source_place="layer_0", gate="vector", projection="procrustes", training=LONG),
        Making(name="e", kind="direction", method="pca", positions="0,-1"),
        Making(name="e", kind="projected", projection="truncation", source_place="layer_0"),
    ],
    ids=lambda making: making.kind,
)
def test_a_blade_is_made_anew_as_it_was_made(making: Making, tmp_path: Path) -> None:
    blade = making.at("layer_1", here(making.kind))

    again = Making.of(load_blade(save_blade(blade.measured(EVIDENCE), tmp_path)))

    assert again == making
    made = again.at("layer_1", here(making.kind))
    assert all(torch.equal(made.tensors[name], tensor) for name, tensor in blade.tensors.items())
    assert made.alpha == blade.alpha


def test_of_other_items_it_is_not_the_same_that_is_fitted_anew() -> None:
    asked, blade = here("low_rank"), blade_of("low_rank")
    fewer = replace(asked, fit={**asked.fit, "near": asked.fit["near"][1:]})

    said = [next(arm.about for arm, _ in Arms(blade, one).tried if arm.name == ANEW) for one in (asked, fewer)]

    assert said == ["the same under other seeds", "made alike of these items, not of its own"]


def test_the_untouched_arm_is_the_bare_model() -> None:
    asked, (_, trial) = here("ffn_output"), measured("ffn_output")

    naive = log_probs(asked.target, list(asked.test["near"]))

    assert trial.mean(TARGET, LOG_PROB) == pytest.approx(float(naive.mean()), abs=1e-4)
