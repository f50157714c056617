"""The debate chamber without a page: it tells what the verb answers, and refuses what the page may not say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from garage_nb.errors import EditError, GateFileError, InputError
from garage_nb.garage import Garage
from garage_nb.inject.blades.card import ModelCard
from garage_nb.inject.debating.debating import NOISE
from garage_nb.inject.debating.gate import untrained
from garage_nb.widgets import DebateChamber

from ..restored import hooks_on

FRANCE = "The capital of France is"
HOW: dict[str, Any] = {"at": "layer_2", "blocks": 2, "strength": 0.3, "perspectives": 3, "steps": 3}


@pytest.fixture(scope="module")
def garage() -> Garage:
    return Garage("showroom")


@pytest.fixture
def chamber(garage: Garage) -> DebateChamber:
    chamber = DebateChamber(garage, FRANCE, **HOW)
    assert chamber.wait(60)
    return chamber


def test_the_page_gets_the_numbers_of_the_verb(garage: Garage, chamber: DebateChamber) -> None:
    found = garage.debate(FRANCE, **HOW)

    assert chamber.debated == found
    assert chamber._shown["layers"] == ["layer_2", "layer_3", "layer_4"]
    assert chamber._shown["status"] == "no gate"
    for shown, step in zip(chamber._shown["steps"], found.steps, strict=True):
        assert shown["reconciled"][0] == [step.word, step.reconciled.shares[0]]
        assert [words[0][0] for words in shown["perspectives"]] == list(step.words)
        assert shown["shares"] == list(step.shares)
        assert shown["apart"] == [list(row) for row in step.apart]
        assert [[pytest.approx(one, abs=1e-4) for one in row] for row in step.likeness] == shown["likeness"]
    assert found.picture().html() in chamber._picture()
    assert hooks_on(garage.model) == {}


def test_every_setting_runs_it_anew(garage: Garage, chamber: DebateChamber) -> None:
    for name, value in {"blocks": 0, "divergence": "projection", "reconciliation": "gated", "seed": 5}.items():
        before = chamber._shown
        chamber.set_state({name: value})
        assert chamber.wait(60)
        assert (chamber._error, getattr(chamber, name)) == ("", value)
        assert chamber._shown != before

    same = {**HOW, "blocks": 0, "divergence": "projection", "reconciliation": "gated", "seed": 5}
    assert chamber.debated == garage.debate(FRANCE, **same)
    assert chamber._shown["status"] == f"untrained; {NOISE}"


def test_it_follows_the_recipe_in_force(garage: Garage, chamber: DebateChamber) -> None:
    before = chamber.debated
    chamber.open()
    garage.scale("layer_4", -1)
    try:
        assert chamber.wait(60)
        assert chamber._changes == 1
        assert chamber.debated == garage.debate(FRANCE, **HOW) != before
    finally:
        garage.reset()


def test_a_place_with_too_few_blocks_behind_it_is_said_and_the_picture_stays(chamber: DebateChamber) -> None:
    before = chamber._shown

    chamber.set_state({"at": "layer_5"})

    assert chamber.wait(60)
    assert "After layer_5 there are 0 blocks, not 2" in chamber._error
    assert chamber._shown == before
    chamber.set_state({"at": "layer_1"})
    assert chamber.wait(60)
    assert (chamber._error, chamber._shown["layers"][0]) == ("", "layer_1")


def test_a_gate_is_used_where_it_fits(garage: Garage) -> None:
    gate = untrained(2, garage.spec.hidden_dim, 3)
    chamber = DebateChamber(garage, FRANCE, gate=gate, reconciliation="gated", steps=1)
    assert chamber.wait(60)
    assert chamber.debated == garage.debate(FRANCE, gate=gate, reconciliation="gated", steps=1)

    assert DebateChamber(garage, gate=gate).reconciliation == "gated"
    assert DebateChamber(garage, gate=untrained(3, garage.spec.hidden_dim, 0)).perspectives == 3
    assert DebateChamber(garage, gate=gate, reconciliation="average").reconciliation == "average"

    chamber.perspectives = 3
    assert chamber.wait(60)

    assert "The gate weighs 2 perspectives" in chamber._error
    with pytest.raises(GateFileError, match="cannot be read"):
        DebateChamber(garage, FRANCE, gate="no such folder")
    with pytest.raises(EditError, match="is no gate"):
        DebateChamber(garage, FRANCE, gate=3)


def test_a_gate_of_other_weights_is_refused_in_the_panel(garage: Garage) -> None:
    card = replace(ModelCard.of(garage.lifted), weights="0" * 32)
    gate = replace(untrained(2, garage.spec.hidden_dim, 3), model=card)

    chamber = DebateChamber(garage, FRANCE, gate=gate, steps=1)

    assert chamber.wait(60)
    assert "these are other weights" in chamber._error
    assert chamber.debated is None


@pytest.mark.parametrize(
    "state",
    [
        {"at": "attention_1"}, {"at": "layer_99"}, {"at": 3}, {"blocks": 6}, {"blocks": -1}, {"blocks": True},
        {"divergence": "shouting"}, {"divergence": ["dropout"]}, {"reconciliation": "vote"}, {"strength": 1},
        {"strength": float("nan")}, {"strength": "0.5"}, {"perspectives": 1}, {"perspectives": 9}, {"seed": -1},
        {"seed": 2**40}, {"steps": 0}, {"steps": 65}, {"_shown": {}}, {"_behind": {}}, {"gate": 1},
    ],
    ids=str,
)  # fmt: skip
def test_the_page_may_not_say(chamber: DebateChamber, state: dict[str, Any]) -> None:
    name = next(iter(state))
    before = getattr(chamber, name)

    chamber.set_state(state)

    assert getattr(chamber, name) == before
    assert chamber._error
    assert not chamber._running


def test_the_first_layer_and_the_end_are_where_nothing_is_said(garage: Garage) -> None:
    chamber = DebateChamber(garage)

    assert (chamber.at, chamber.blocks, chamber._behind["layer_1"]) == ("layer_0", None, 4)
    assert "Type a prompt" in chamber._picture()
    assert not chamber._running
    assert DebateChamber(garage, at="layer_-1").at == "layer_5"
    with pytest.raises(InputError, match="No whole block leaves"):
        DebateChamber(garage, at="ffn_1")
