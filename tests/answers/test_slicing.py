"""Slicing by its verb: from pathways, from masks, and what is said of its speed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from garage_nb.analyze.judging.cost import Cost
from garage_nb.analyze.pathways.speed import DENSE, MASKED, SLICED, Speed
from garage_nb.answers.slicing import Slicing
from garage_nb.core.fingerprint import Fingerprint
from garage_nb.errors import BuildError, EditError, GarageError, InputError
from garage_nb.garage import Garage
from garage_nb.inject.mask import Mask
from garage_nb.inject.recipe import Recipe
from tests.analyze.pathways.ground import ITEMS, small

MASKS = Recipe((Mask("ffn_0", keep="0:8"), Mask("ffn_1", drop="8:64")))


@pytest.fixture
def garage() -> Garage:
    lifted = small("llama")
    return Garage(lifted.model, tokenizer=lifted.tokenizer)


def cost(*seconds: float) -> Cost:
    return Cost(parameters=100, bytes=400, shared=0, passes=1, tokens=4, seconds=seconds)


def test_masks_in_force_and_masks_given_are_sliced_alike(garage: Garage) -> None:
    given = garage.slice(MASKS)
    garage.apply(MASKS)

    in_force = garage.slice()

    ids = torch.tensor([[3, 4, 5]])
    with torch.no_grad():
        assert torch.equal(given.model(ids).logits, in_force.model(ids).logits)
        with garage.in_force():
            expected = garage.model(ids).logits
        assert torch.allclose(given.model(ids).logits, expected, atol=1e-5)
        assert not torch.allclose(garage.model(ids).logits, expected, atol=1e-3)


def test_neurons_kept_for_a_domain_are_sliced(garage: Garage, tmp_path: Path) -> None:
    before = Fingerprint.of(garage.model)
    found = garage.pathways(ITEMS)

    made = garage.slice(found, keep=0.25, domain="count", to=str(tmp_path / "small"), name="small")

    assert made.kept == found.kept("count", keep=0.25)
    again = Garage(str(tmp_path / "small"))
    assert again.spec.parts["ffn_1"].intermediate_dim == 16
    garage.apply(found.mask("count", keep=0.25))
    mine, theirs = garage.capture("abc", layers="layer_-1"), again.capture("abc", layers="layer_-1")
    assert mine.frame()["norm"].iloc[0] == pytest.approx(theirs.frame()["norm"].iloc[0], rel=1e-5)
    assert not before.differences(Fingerprint.of(garage.model))


def test_times_are_of_three_models_over_a_prompt_and_one_token(garage: Garage) -> None:
    frame = garage.slice(MASKS).frame()

    assert list(frame.index) == [(tokens, name) for tokens in (64, 1) for name in (DENSE, MASKED, SLICED)]
    assert (frame["least"] <= frame["seconds"]).all()
    assert (frame.xs(DENSE, level="model")[["ratio", "ratio_least", "ratio_largest"]] == 1).all(axis=None)
    sizes = frame.loc[64, "parameters"]
    assert sizes[DENSE] == sizes[MASKED]
    assert sizes[DENSE] - sizes[SLICED] == 2 * 3 * 56 * 32  # two ffns of three matrices, 56 neurons fewer


def test_only_what_was_faster_in_every_round_is_called_faster(garage: Garage) -> None:
    made = garage.slice(MASKS)
    costs = {DENSE: cost(1.0, 2.0, 1.0), SLICED: cost(0.5, 1.8, 0.4), MASKED: cost(0.9, 2.2, 0.9)}

    told = replace(made, speeds=(Speed(tokens=4, costs=costs),))

    assert told.speeds[0].is_faster(SLICED)
    assert not told.speeds[0].is_faster(MASKED)
    said = repr(told)
    assert "sliced 0.500 (0.400 to 0.900)\n" in said
    assert "masked 0.900 (0.900 to 1.100): no speed-up measured" in said


def test_what_cannot_be_sliced_is_refused_and_nothing_changes(garage: Garage, tmp_path: Path) -> None:
    before = Fingerprint.of(garage.model)

    def refused(kind: type[GarageError], said: str, selection: object = None) -> None:
        with pytest.raises(kind, match=said):
            garage.slice(selection, to=str(tmp_path / "small"))

    for selection in (None, MASKS):
        with pytest.raises(InputError, match=r"which neurons stay, whatever --keep and --domain says.*\nLeave it out"):
            garage.slice(selection, keep=0.5, domain="count")
    refused(EditError, "No neuron is masked")
    refused(InputError, "A str chooses no neurons", "ffn_0")
    refused(BuildError, "ffn_1 would stay as they are", Recipe((Mask("ffn_0", drop=0),)))
    means = Recipe((Mask("ffn_0", drop=0, fill=torch.ones(64)), Mask("ffn_1", drop=0)))
    refused(BuildError, r"no bias to hold the means of neurons that go.*\n.*zeros", means)
    garage.scale("layer_0", 0.5)
    refused(InputError, r"Edits are in force.*scale layer_0 0.5.*\n.*reset", MASKS)
    refused(EditError, "'scale layer_0 0.5' takes no neurons away")

    assert not (tmp_path / "small").exists()
    assert not before.differences(Fingerprint.of(garage.model))


def test_a_slice_shows_itself(garage: Garage) -> None:
    made = garage.slice(MASKS, name="small")

    assert isinstance(made, Slicing)
    assert "8 in each of 2 ffns" in repr(made)
    assert "✓" in made._repr_html_()
