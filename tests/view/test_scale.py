"""A number's colour, and what can be read on it."""

from __future__ import annotations

import math

import pytest

from garage_nb.view.palette import AMOUNTS, CHANGES
from garage_nb.view.scale import contrast, ink_on, scale_of, usual_reach


def test_amounts_run_from_the_least_to_the_largest() -> None:
    scale = scale_of([3.0, 1.0, 2.0, math.nan])

    assert (scale.low, scale.high) == (1.0, 3.0)
    assert (scale.colour(1.0), scale.colour(2.0), scale.colour(3.0)) == (AMOUNTS[0], AMOUNTS[16], AMOUNTS[-1])


@pytest.mark.parametrize(("numbers", "signed"), [([-1.0, 4.0], False), ([1.0, 4.0], True)])
def test_signed_numbers_are_around_zero(numbers: list[float], signed: bool) -> None:
    scale = scale_of(numbers, signed=signed)

    assert (scale.low, scale.high) == (-4.0, 4.0)
    assert (scale.colour(-4.0), scale.colour(0.0), scale.colour(4.0)) == (CHANGES[0], CHANGES[5], CHANGES[-1])


def test_between_two_stops_colours_are_joined_by_straight_lines() -> None:
    scale = scale_of([0.0, 32.0])

    halves = [round((int(a, 16) + int(b, 16)) / 2) for a, b in (("00", "00"), ("22", "28"), ("4e", "5b"))]
    assert bytes.fromhex(scale.colour(0.5)[1:]) == bytes(halves)


@pytest.mark.parametrize("numbers", [[2.0, 2.0], [], [math.nan], [math.inf]])
def test_where_there_is_nothing_to_tell_apart_the_middle_is_meant(numbers: list[float]) -> None:
    scale = scale_of(numbers)

    assert scale.colour(scale.low) == AMOUNTS[16]


def test_beyond_its_ends_a_scale_goes_no_further() -> None:
    assert scale_of([0.0, 1.0]).colour(9.0) == AMOUNTS[-1]


@pytest.mark.parametrize(
    ("changes", "reach"),
    [
        ([0.0, 0.0, 0.1, -0.2, 0.3, 90.0, math.nan], 2.5),
        ([0.0, -0.2, 0.1, 0.2, 70.0, 80.0], 2.0),
        ([math.inf, 0.5], 5.0),
        ([0.0, math.nan], math.inf),
        ([], math.inf),
    ],
)
def test_usual_is_up_to_ten_times_the_median_change(changes: list[float], reach: float) -> None:
    assert usual_reach(changes) == pytest.approx(reach)


@pytest.mark.parametrize(
    ("pair", "ratio"), [(("#000000", "#ffffff"), 21.0), (("#777777", "#ffffff"), 4.48), (("#123456", "#123456"), 1.0)]
)
def test_contrast_is_that_of_wcag(pair: tuple[str, str], ratio: float) -> None:
    assert contrast(*pair) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize("signed", [False, True])
def test_ink_can_be_read_on_every_colour(signed: bool) -> None:
    scale = scale_of([0.0, 1.0], signed=signed)
    colours = [scale.colour(scale.low + i * (scale.high - scale.low) / 1000) for i in range(1001)]

    assert min(contrast(ink_on(colour), colour) for colour in colours) >= 4.5
