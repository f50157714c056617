"""Settings do something, refuse what they cannot be, and stay with their Garage."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from garage_nb.answers.settings import Settings
from garage_nb.errors import InputError
from garage_nb.garage import Garage
from tests.families import tiny

FRANCE = "The capital of France is"


def test_every_setting_is_told_with_its_value() -> None:
    shown = Settings(tau=0.25, debug=True)

    assert list(shown.frame().index) == [entry.name for entry in fields(Settings)]
    assert dict(shown.frame()["value"]) == {"tau": 0.25, "tokens": 20, "debug": True}
    for word in ("0.25", "20", "on", "whole traceback"):
        assert word in repr(shown)


GOOD = {("tau", "0"): 0.0, ("tau", 2): 2.0, ("tokens", "7"): 7, ("debug", "ON"): True, ("debug", False): False}


@pytest.mark.parametrize("said", GOOD)
def test_a_value_is_read_as_what_the_setting_is(said: tuple[str, Any]) -> None:
    found = getattr(Settings(debug=True).changed(*said), said[0])

    assert (found, type(found)) == (GOOD[said], type(GOOD[said]))


BAD = [
    ("tau", "x"), ("tau", -1), ("tau", "nan"), ("tau", float("inf")), ("tau", [1]),
    ("tokens", 0), ("tokens", "1.5"), ("tokens", 1.5), ("tokens", True), ("tokens", "-3"),
    ("debug", "maybe"), ("debug", 2),
]  # fmt: skip


@pytest.mark.parametrize("said", BAD, ids=str)
def test_a_value_that_cannot_be_is_refused_in_two_lines(said: tuple[str, Any]) -> None:
    with pytest.raises(InputError, match=rf"{said[0]} cannot be .*\nIt takes .*config {said[0]}") as caught:
        Settings().changed(*said)

    assert str(caught.value).count("\n") == 1


@pytest.mark.parametrize("name", ["tua", "", "__class__", "changed"])
def test_an_unknown_name_is_answered_with_the_nearest(name: str) -> None:
    with pytest.raises(InputError, match=r"no setting.*\nNearest: .*t"):
        Settings().changed(name, "1")


def test_capture_and_plot_take_their_threshold_from_it() -> None:
    garage = Garage(tiny("llama"))
    garage.config("tau", "0.7")

    assert repr(garage.capture([1, 2, 3])) == repr(Garage(garage.model).capture([1, 2, 3], tau=0.7))
    assert "0.7" in garage.plot([1, 2, 3]).axes.get_ylabel()
    assert repr(garage.capture([1, 2, 3], tau=0.1)) == repr(Garage(garage.model).capture([1, 2, 3]))


def test_generate_takes_its_length_from_it() -> None:
    garage = Garage("showroom")
    garage.config("tokens", 2)

    assert garage.generate(FRANCE) == Garage("showroom").generate(FRANCE, tokens=2)
    assert "".join(garage.stream(FRANCE)) == garage.generate(FRANCE).text


def test_settings_outlive_the_model_and_belong_to_one_garage() -> None:
    garage = Garage(tiny("llama"))
    garage.config("tau", 0.7)

    garage.load(tiny("gpt2"))

    assert garage.config() == Settings(tau=0.7)
    assert Garage().config() == Settings()


def test_a_refused_value_changes_nothing() -> None:
    garage = Garage()

    with pytest.raises(InputError):
        garage.config("tau", "x")

    assert garage.config("tau") == Settings()
