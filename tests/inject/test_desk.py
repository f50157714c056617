"""The mixing desk: faders, what is heard, and what one step for undo is."""

from __future__ import annotations

import random

import pytest
import torch

from garage_nb.core.tokens import Tokens
from garage_nb.errors import EditError, UnknownPartError
from garage_nb.inject.desk import Desk
from garage_nb.inject.edits import Add, Scale
from garage_nb.inject.recipe import History, Recipe
from garage_nb.registry.models import spec_of
from tests.families import tiny

NAN, ENDLESS = float("nan"), float("inf")


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk(spec_of(tiny("gpt2", layers=3), "tiny"))


def test_a_fader_makes_one_scale_and_at_one_there_is_none(desk: Desk) -> None:
    turned = desk.turned("layer_1", 0.5).turned("layer_1", 0.25)

    assert turned.draft == Recipe((Scale("layer_1", 0.25),))
    assert turned.factor("layer_1") == 0.25
    assert turned.turned("layer_1", 1.0).draft == Recipe()
    assert desk.draft == Recipe()  # the value it came from


def test_a_fader_keeps_its_place_in_the_order(desk: Desk) -> None:
    turned = desk.turned("layer_1", 0.5).turned("attention_0", 2.0).turned("layer_1", 0.1)

    assert [str(edit) for edit in turned.draft] == ["scale layer_1 0.1", "scale attention_0 2"]


def test_a_recipe_that_is_there_already_has_its_fader_by_whatever_name(desk: Desk) -> None:
    given = desk.to(Recipe((Scale("layer_-1", 0.5), Add("layer_2", 1.0), Scale("layer_2", 3.0, tokens=Tokens("0")))))

    turned = given.turned("layer_2", 0.7)

    assert given.factor("layer_2") == 0.5
    assert [str(edit) for edit in turned.draft] == ["scale layer_2 0.7", "add layer_2 1", "scale layer_2 3 --tokens 0"]


@pytest.mark.parametrize("factor", [NAN, ENDLESS, -ENDLESS, 1e308, -1001])
def test_what_is_no_factor_is_refused(desk: Desk, factor: float) -> None:
    with pytest.raises(EditError):
        desk.turned("layer_1", factor)


def test_a_place_that_is_not_there_is_refused(desk: Desk) -> None:
    with pytest.raises(UnknownPartError):
        desk.turned("layer_9", 0.5)


def test_moves_of_one_gesture_are_one_step_for_undo(desk: Desk) -> None:
    moved = desk.turned("layer_0", 0.9, 1)
    for factor in torch.linspace(0.9, 0.1, 50).tolist():
        moved = moved.turned("layer_1", factor, 2)

    assert moved.undo().draft == Recipe((Scale("layer_0", 0.9),))
    assert moved.undo().redo().draft == moved.draft


@pytest.mark.parametrize("second", [("layer_1", 3), ("layer_2", 2), ("layer_1", None)])
def test_another_gesture_or_part_is_another_step(desk: Desk, second: tuple[str, int | None]) -> None:
    first = desk.turned("layer_1", 0.9, 2)

    assert first.turned(second[0], 0.2, second[1]).undo().draft == first.draft


def test_a_gesture_that_goes_on_after_undo_is_a_new_step(desk: Desk) -> None:
    moved = desk.turned("layer_1", 0.9, 2).undo().turned("layer_1", 0.8, 2)

    assert moved.undo().draft == Recipe()


def test_to_the_same_place_is_no_step(desk: Desk) -> None:
    turned = desk.turned("layer_1", 0.5)

    assert turned.turned("layer_1", 0.5) is turned


def test_bypass_and_solo_say_what_is_heard_and_change_nothing(desk: Desk) -> None:
    full = desk.turned("layer_0", 0.5).turned("layer_1", 0.6).turned("ffn_2", 0.7)

    bypassed = full.monitored(bypassed=["layer_1"])
    soloed = full.monitored(soloed=["layer_1"])
    both = bypassed.monitored(soloed=["layer_1", "ffn_2"])

    assert [edit.at for edit in bypassed.heard] == ["layer_0", "ffn_2"]
    assert [edit.at for edit in soloed.heard] == ["layer_1"]
    assert [edit.at for edit in both.heard] == ["ffn_2"]
    assert bypassed.draft == soloed.draft == both.draft == full.draft
    assert both.undo().bypassed == {"layer_1"}


def test_an_edit_is_dropped_by_its_number(desk: Desk) -> None:
    full = desk.turned("layer_0", 0.5).turned("layer_1", 0.6)

    assert full.dropped(0).draft == Recipe((Scale("layer_1", 0.6),))
    assert full.dropped(0).undo().draft == full.draft
    for number in (-1, 2):
        with pytest.raises(EditError, match=f"no edit number {number}"):
            full.dropped(number)


def test_random_moves_come_back_step_by_step(desk: Desk) -> None:
    chance, seen = random.Random(0), [desk]
    for number in range(60):
        part = chance.choice(["layer_0", "layer_1", "attention_2", "ffn_0"])
        seen.append(seen[-1].turned(part, round(chance.uniform(-2, 2), 3), number))
    back = seen[-1]

    for step in reversed(seen[:-1]):
        back = back.undo()
        assert back.draft == step.draft
    assert back.history == History(Recipe(), (), back.history.future)
