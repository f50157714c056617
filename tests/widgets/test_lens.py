"""The lens view without a page: what it tells is what the engine answered, and what the page may not say is refused."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from garage_nb.errors import InputError
from garage_nb.garage import Garage
from garage_nb.widgets import LensView

FRANCE = "The capital of France is"
HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture
def garage() -> Garage:
    return Garage("showroom")


@pytest.fixture
def view(garage: Garage) -> LensView:
    view = LensView(garage, FRANCE)
    assert view.wait(60)
    return view


def numbers(view: LensView, name: str, kind: Any = np.float32) -> Any:
    return np.frombuffer(view.get_state()[name], dtype=kind).reshape(len(view._layers), len(view._tokens), -1)


def test_the_page_gets_the_numbers_of_the_verb(garage: Garage, view: LensView) -> None:
    found = garage.lens(FRANCE)

    assert view._layers == list(found.layers)
    guesses, shares = numbers(view, "_guesses", np.int32), numbers(view, "_shares")
    measures = numbers(view, "_measures")
    for layer, (name, row) in enumerate(found.layers.items()):
        for position in range(len(found.tokens)):
            texts = [view._texts[number] for number in guesses[layer, position]]
            assert texts == [text for text, _ in found.best(name, position)]
        assert np.allclose(shares[layer], row.probabilities, atol=1e-6)
        assert np.allclose(measures[layer, :, 2], row.target, atol=1e-6)
        assert np.array_equal(measures[layer, :, 3], row.rank)
    assert view._following == " Paris"


def test_it_follows_the_recipe_in_force(garage: Garage, view: LensView) -> None:
    garage.scale("layer_4", -1)
    assert view.wait(60)

    assert view._changes == 1
    assert view.lens is not None
    assert view.lens.values_of("probability") == garage.lens(FRANCE).values_of("probability")

    garage.undo()
    assert view.wait(60)
    assert view._changes == 0


def test_a_token_is_followed_by_its_text_or_from_the_picture(view: LensView) -> None:
    view.followed = " Lisbon"
    assert view.wait(60)
    assert view._following == " Lisbon"

    view._receive({"kind": "follow", "token": view._texts.index(" Kenya")}, [])
    assert view.wait(60)
    assert (view._following, view._error) == (" Kenya", "")

    view.followed = ""
    assert view.wait(60)
    assert view._following == " Paris"


def test_what_cannot_be_read_is_said_and_the_picture_stays(view: LensView) -> None:
    before = view._measures

    for name, value in (("prompt", "a " * 3000), ("followed", " Paris is")):
        view.set_state({name: value})
        assert view.wait(60)
        assert "\n" in view._error
        assert view._measures == before
        view.set_state({name: "" if name == "followed" else FRANCE})
        assert view.wait(60)
        assert view._error == ""


@pytest.mark.parametrize(
    "state",
    [{"prompt": 3}, {"prompt": "x" * 30_000}, {"followed": ["a"]}, {"_shares": ""}, {"_esm": "x"}, {"_layers": []}],
    ids=str,
)
def test_the_page_may_not_say(view: LensView, state: dict[str, Any]) -> None:
    name = next(iter(state))
    before = getattr(view, name)

    view.set_state(state)

    assert getattr(view, name) == before
    assert view._error
    assert not view._running


@pytest.mark.parametrize("token", [-1, 10**9, True, 1.5, "0", None, [0]])
def test_a_token_that_is_not_in_the_picture_is_refused(view: LensView, token: Any) -> None:
    view._receive({"kind": "follow", "token": token}, [])

    assert isinstance(view.last_error, InputError)
    assert not view._running


def test_an_empty_one_says_what_to_do(garage: Garage) -> None:
    view = LensView(garage)

    assert "Type a prompt" in view._picture()
    assert not view._running


def test_the_static_picture_is_the_table_of_the_verb(garage: Garage, view: LensView) -> None:
    assert garage.lens(FRANCE).picture().html() in view._picture()
    assert HOSTILE not in LensView(garage, HOSTILE)._picture()
    assert FRANCE in repr(view)


def test_another_model_on_the_lift_is_said_and_nothing_is_run(garage: Garage, view: LensView) -> None:
    garage.load("showroom-llama")

    assert "another model" in view._error
    view._receive({"kind": "again"}, [])
    assert "another model" in view._error
    assert not view._running


def test_it_keeps_no_garage_alive() -> None:
    view = LensView(Garage("showroom"), FRANCE)
    view.wait(60)
    gc.collect()

    assert view.target is None
    with pytest.raises(InputError, match="is gone"):
        view.prompt = "another"
