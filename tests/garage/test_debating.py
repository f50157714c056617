"""The verbs of debates: what they hand down, what they refuse, and a gate from its folder to an answer."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.errors import EditError, GarageError, GateFileError, InputError
from garage_nb.garage import Garage
from garage_nb.inject.debating.debated import debated
from garage_nb.inject.debating.debating import Debating
from tests.restored import left_as_it_was

FRANCE = "The capital of France is"
TEXTS = [FRANCE + " Paris .", "The capital of Spain is Madrid ."]


@pytest.fixture(scope="module")
def garage() -> Garage:
    return Garage("showroom")


def test_a_line_is_the_debate_it_says(garage: Garage) -> None:
    how = Debating("layer_1", 2, "perturbation", "confidence", 0.4, (5, 6, 7))
    asked: dict[str, Any] = {"divergence": "perturbation", "reconciliation": "confidence", "strength": 0.4}

    found = garage.debate(FRANCE, at="layer_1", blocks=2, perspectives=3, seed=5, steps=2, **asked)

    assert found == debated(garage.lifted, FRANCE, how, steps=2)


def test_the_recipe_in_force_is_heard(garage: Garage) -> None:
    plain = garage.debate(FRANCE, steps=1)
    garage.scale("layer_4", -1)
    try:
        scaled = garage.debate(FRANCE, steps=1)
    finally:
        garage.reset()

    assert scaled.edits == 1
    assert scaled.steps != plain.steps
    assert "1 edit in force" in repr(scaled).replace("\n", " ")


def test_a_gate_goes_from_its_fit_through_its_folder_to_an_answer(garage: Garage, tmp_path: Path) -> None:
    with left_as_it_was(garage.model):
        fitted = garage.fit_gate(TEXTS, at="layer_2", blocks=2, steps=3, to=str(tmp_path / "gate"))

    asked: dict[str, Any] = {"at": "layer_2", "blocks": 2, "reconciliation": "gated", "steps": 2}
    by_folder = garage.debate(FRANCE, gate=str(tmp_path / "gate"), **asked)
    by_hand = garage.debate(FRANCE, gate=fitted, **asked)
    assert by_folder.status == "gate fitted on 2 texts"
    assert by_folder.steps == by_hand.steps
    assert garage.debate(FRANCE, **asked).status == "untrained"
    assert garage.debate(FRANCE, gate=fitted, **{**asked, "blocks": 1}).status == "gate of another debate"
    assert garage.debate(FRANCE, gate=fitted, **{**asked, "at": "layer_-4"}).status == "gate fitted on 2 texts"


def test_a_gate_of_other_weights_is_refused_unless_one_insists(garage: Garage) -> None:
    fitted = garage.fit_gate(TEXTS, at="layer_2", blocks=2, steps=1)
    same, other = (Garage(deepcopy(garage.model), tokenizer=garage.tokenizer) for _ in range(2))
    with torch.no_grad():
        next(other.model.parameters()).mul_(1.01)
    gated: dict[str, Any] = {"at": "layer_2", "blocks": 2, "gate": fitted}
    asked: dict[str, Any] = {**gated, "steps": 1, "reconciliation": "gated"}

    assert same.debate(FRANCE, **asked).steps == garage.debate(FRANCE, **asked).steps
    with pytest.raises(EditError, match=r"This gate was fitted on .* these are other weights"):
        other.debate(FRANCE, **asked)
    with pytest.raises(EditError, match=r"This gate was fitted on .* these are other weights"):
        other.debates([(FRANCE, "Paris")], **gated, draws=1)
    with pytest.raises(EditError, match="debate --insist"):
        other.debate(FRANCE, **asked)

    assert len(other.debate(FRANCE, **asked, insist=True).steps) == 1
    assert "gated, 2 blocks on" in other.debates([(FRANCE, "Paris")], **gated, draws=1, insist=True).arms


@pytest.mark.parametrize(
    ("verb", "options", "kind", "message"),
    [
        ("debate", {"perspectives": 1}, InputError, "1 perspectives are no debate"),
        ("debate", {"perspectives": 10**9}, InputError, "Ask for 2 to 16"),
        ("debate", {"gate": "no such folder", "reconciliation": "gated"}, GateFileError, "cannot be read"),
        ("debate", {"at": "attention_1"}, EditError, "No whole block leaves"),
        ("debate", {"seed": 2**70}, InputError, "is no seed"),
        ("debate", {"steps": 0}, InputError, "0 steps"),
        ("debates", {"draws": 0}, InputError, "0 draws"),
        ("debates", {"blocks": 9}, EditError, "After layer_0 there are 5 blocks"),
        ("fit_gate", {"texts": {"a": 1}}, InputError, "A dict is no list of texts"),
        ("fit_gate", {"texts": []}, EditError, "no lessons"),
        ("fit_gate", {"texts": TEXTS, "steps": 0}, EditError, "teach nothing"),
    ],
)
def test_what_cannot_be_asked_is_said_in_two_lines(
    garage: Garage, verb: str, options: dict[str, Any], kind: type[GarageError], message: str
) -> None:
    given = {"debate": {"prompt": FRANCE}, "debates": {"items": [(FRANCE, "Paris")]}, "fit_gate": {}}[verb]

    with left_as_it_was(garage.model), pytest.raises(kind, match=message) as caught:
        getattr(garage, verb)(**given, **options)

    assert str(caught.value).count("\n") == 1
