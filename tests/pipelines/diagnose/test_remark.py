"""Which remarks are told, and in which order."""

from __future__ import annotations

import math

import pytest

from garage_nb.pipelines.diagnose.remark import Remark, first, ranked


def remark(said: str, value: float, threshold: float, **more: bool) -> Remark:
    return Remark(said=said, rule="a number", value=value, threshold=threshold, **more)


@pytest.mark.parametrize(
    ("value", "threshold", "is_most", "told", "times"),
    [
        (8, 4, False, True, 2),
        (4, 4, False, True, 1),
        (3, 4, False, False, 0.75),
        (1, 4, True, True, 4),
        (5, 4, True, False, 0.8),
        (0, 4, True, True, math.inf),
    ],
)
def test_a_remark_is_told_from_its_threshold_on(
    value: float, threshold: float, is_most: bool, told: bool, times: float
) -> None:
    one = remark("x", value, threshold, is_most=is_most)

    assert one.is_told is told
    assert one.times == times


def test_a_rule_is_said_with_its_threshold() -> None:
    assert remark("x", 1, 0.25).held == "a number ≥ 0.250"
    assert remark("x", 1, 0.25, is_most=True).held == "a number ≤ 0.250"


def test_the_grave_come_first_then_the_farthest() -> None:
    told = [("a", remark("near", 2, 1)), ("b", remark("far", 90, 1)), ("c", remark("grave", 1, 1, grave=True))]

    assert [one.said for _, one in ranked(told)] == ["grave", "far", "near"]


def test_of_equal_ones_the_first_comes_first() -> None:
    told = [(name, remark(name, 2, 1)) for name in "dbca"]

    assert [name for name, _ in ranked(told)] == list("dbca")


def test_on_top_stands_one_of_a_section() -> None:
    told = [("loud", remark(str(place), 100 + place, 1)) for place in range(9)] + [("quiet", remark("x", 2, 1))]

    assert [(name, one.said) for name, one in first(told)] == [("loud", "8"), ("quiet", "x")]


def test_on_top_stand_five_at_most() -> None:
    assert len(first([(str(place), remark("x", 2, 1)) for place in range(9)])) == 5
