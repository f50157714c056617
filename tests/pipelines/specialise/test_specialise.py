"""specialise: every kind that can be made is tried, the choice is by validation alone, and the proof by the rest."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch

from garage_nb.analyze.judging.exercise import Exercise
from garage_nb.errors import InputError
from garage_nb.inject.blades.edit import in_force
from garage_nb.inject.blades.files import load_blade
from garage_nb.methods.blades.arms import BLADE
from garage_nb.methods.blades.rivals import cheaper
from garage_nb.methods.studies.ground import Ground
from garage_nb.pipelines.specialise.specialise import ALONE, BESIDE, specialise
from garage_nb.pipelines.specialise.specialised import Specialised
from tests.methods.blades.grounds import ground, live, log_probs
from tests.restored import left_as_it_was

STEPS = 2


@cache
def asked() -> Ground:
    return ground(live("llama"), live("llama", 1))


@cache
def found() -> Specialised:
    with left_as_it_was(asked().target.model), left_as_it_was(asked().others["source"].model):
        return specialise(asked(), steps=STEPS)


def test_every_kind_is_tried_at_every_place() -> None:
    assert list(found().sweeps) == [*BESIDE, *ALONE]
    assert not found().left_out
    assert len(found().frame()) == 6 * 3


def test_the_chosen_one_gains_most_on_items_to_choose_by() -> None:
    frame = found().frame()
    fair = frame[frame["kept"] >= -0.05]

    assert frame["is_chosen"].sum() == 1
    assert fair["gain"].idxmax() == (found().blade.kind, found().blade.place)


def test_its_proof_is_of_items_that_nothing_was_chosen_by() -> None:
    blade, source = found().blade, asked().others["source"]
    edit = in_force(blade, source=source if blade.source is not None else None)
    tested: list[Exercise] = list(asked().test["near"])

    naive = log_probs(asked().target, tested, edit) - log_probs(asked().target, tested)

    assert found().trial.over[BLADE].value == pytest.approx(float(naive.mean()), abs=1e-4)
    asked_in_trial = {item.name.split(": ", 1)[1] for item in found().trial.outcomes.items}
    chosen_by = {one.text for several in asked().choose.values() for one in several}
    assert not asked_in_trial & chosen_by
    assert asked_in_trial == {one.text for one in [*tested, *asked().test["far"][: len(asked_in_trial) - len(tested)]]}


def test_the_choice_does_not_hang_on_what_it_is_tested_by() -> None:
    others = replace(asked(), test={domain: several[::-1][:4] for domain, several in asked().test.items()})

    again = specialise(others, steps=STEPS)

    assert again.blade.measured(found().blade.evidence) == replace(found().blade, fit=again.blade.fit)  # type: ignore[arg-type]


def test_the_blade_is_saved_with_its_evidence(tmp_path: object) -> None:
    card = found().card.kept(str(tmp_path))

    back = load_blade(str(tmp_path))

    assert back == found().blade
    assert back.evidence == found().blade.evidence
    assert card.saved is not None


def test_it_says_what_it_is_worth() -> None:
    said = found().said

    assert "accuracy over the target" in said
    assert ("Cheaper, and not told to be worse:" in said) == bool(cheaper(found().trial, found().blade.forwards))
    assert all(name in repr(found()) for name in ("logit ensemble", "weight merge", "random direction", "kept: far"))
    assert found().plot().axes is not None


def test_what_cannot_be_made_is_left_out_with_the_reason() -> None:
    narrow = live("llama", 1, hidden_size=16, num_attention_heads=2, num_key_value_heads=2)

    other = specialise(ground(live("llama"), narrow), steps=STEPS)

    assert set(other.left_out) == {"transplant", "gated"}
    assert "16 wide" in other.left_out["transplant"]
    assert set(other.sweeps) == {"projected", "ffn_output", *ALONE}


def test_a_model_without_ffns_is_specialised_by_what_it_has() -> None:
    other = specialise(ground(live("mamba", layers=1), live("mamba", 1, layers=1)), steps=STEPS)

    assert list(other.left_out) == ["ffn_output"]
    assert "ffn_" in other.left_out["ffn_output"]
    assert set(other.sweeps) == {"gated", "transplant", "projected", *ALONE}


def test_without_a_source_only_kinds_that_read_none_are_tried() -> None:
    alone = specialise(ground(live("gpt2")), steps=STEPS)

    assert list(alone.sweeps) == list(ALONE)
    assert alone.blade.source is None


def test_nothing_to_make_is_an_error() -> None:
    lone = ground(live("llama"))
    broken = live("llama", 3)
    with torch.no_grad():
        broken.model.model.norm.weight.fill_(float("nan"))

    with pytest.raises(InputError, match="No blade can be made"):
        specialise(replace(lone, target=broken, fit={"near": lone.fit["near"]}), steps=STEPS)
