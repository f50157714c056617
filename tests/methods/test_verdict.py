"""Verdicts at their thresholds: on either side of each, by effects made by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from garage_nb.methods.rules.hurdle import Rises, Stays
from garage_nb.methods.statistics.effect import Effect
from garage_nb.methods.statistics.spread import Spread
from garage_nb.methods.verdict import FAILS, HOLDS, UNDECIDED, claim_p, verdict

JUST = 1e-9
SURE = Effect(
    said="gated − shuffled", value=0.1, low=0.06, high=0.14, p=0.001, smallest=0.05,
    spread=Spread(by_items=0.0004, by_seeds=0.0, n=200, seeds=1),
)  # fmt: skip


def rises(**changes: float) -> str:
    return verdict([Rises(replace(SURE, **changes), 0.05)]).ruling


def stays(**changes: float) -> str:
    still = replace(SURE, value=0.0, low=-0.02, high=0.02, p=0.9, spread=replace(SURE.spread, by_items=0.0001))
    return verdict([Stays(replace(still, **changes), 0.05)]).ruling


def test_it_holds_above_nothing() -> None:
    assert rises() == HOLDS
    assert rises(low=JUST) == HOLDS
    assert rises(low=0.0) == UNDECIDED


def test_it_holds_up_to_the_level() -> None:
    assert rises(p=0.05) == HOLDS
    assert rises(p=0.05 + JUST) == UNDECIDED


def test_what_is_surely_too_small_to_matter_does_not_hold() -> None:
    small = {"value": 0.02, "low": -0.01, "p": 0.2}
    assert rises(**small, high=0.05 - JUST) == FAILS
    assert rises(**small, high=0.05) == UNDECIDED
    assert rises(value=0.02, low=0.01, p=0.01, high=0.05 - JUST) == FAILS  # there, and too small


def test_it_takes_enough_items_to_say_that_it_does_not_hold() -> None:
    small = {"value": 0.0, "low": -0.04, "high": 0.04, "p": 0.9}
    assert rises(**small, smallest=0.05) == FAILS
    assert rises(**small, smallest=0.05 + JUST) == UNDECIDED
    assert rises(**small, smallest=math.inf) == UNDECIDED


def test_what_goes_the_other_way_does_not_hold() -> None:
    assert rises(value=-0.2, low=-0.3, high=-JUST, p=0.05, smallest=9.0) == FAILS
    assert rises(value=-0.2, low=-0.3, high=0.0, p=0.05, smallest=9.0) == UNDECIDED
    assert rises(value=-0.2, low=-0.3, high=-JUST, p=0.05 + JUST, smallest=9.0) == UNDECIDED


def test_what_cannot_be_told_is_undecided() -> None:
    assert rises(value=math.nan, low=math.nan, high=math.nan, p=math.nan, smallest=math.inf) == UNDECIDED
    assert rises(smallest=math.inf) == UNDECIDED
    assert rises(value=-0.2, low=-0.3, high=-0.1, smallest=math.inf) == UNDECIDED
    assert stays(value=0.2, low=0.1, high=0.3, p=0.01, smallest=math.inf) == UNDECIDED
    assert claim_p([Rises(replace(SURE, value=math.nan, p=math.nan), 0.05)]) == 1


def test_staying_must_be_shown() -> None:
    assert stays() == HOLDS
    assert stays(high=0.05 - JUST) == HOLDS
    assert stays(high=0.05) == UNDECIDED
    assert stays(low=-0.05 + JUST) == HOLDS
    assert stays(low=-0.05) == UNDECIDED
    assert stays(smallest=0.05) == HOLDS
    assert stays(smallest=0.05 + JUST) == UNDECIDED


def test_what_moves_does_not_stay() -> None:
    assert stays(value=0.04, low=0.01, high=0.06, p=0.01) == FAILS
    assert stays(value=0.04, low=0.0, high=0.06, p=0.01) == UNDECIDED
    assert stays(value=-0.04, low=-0.06, high=-0.01, p=0.01) == FAILS
    assert stays(value=0.01, low=0.002, high=0.02, p=0.01) == HOLDS  # it is there, and too small to matter


def test_equivalence_is_two_one_sided_tests() -> None:
    """By the normal tail, of many items: 0.03 of the margin of 0.05 are left, at an error of 0.01."""
    one = replace(SURE, value=-0.02, spread=Spread(by_items=0.0001, by_seeds=0.0, n=100_000, seeds=1))

    assert Stays(one, 0.05).p == pytest.approx(math.erfc(3 / math.sqrt(2)) / 2, rel=0.03)
    assert Stays(replace(one, value=0.06), 0.05).p > 0.5


def test_every_hurdle_counts_and_the_worst_is_told() -> None:
    weak = replace(SURE, said="gated − ensemble", value=0.03, low=-0.01, high=0.07, p=0.2)
    lost = replace(SURE, said="gated − merge", value=-0.2, low=-0.3, high=-0.1)

    undecided, fails = (
        verdict([Rises(one, 0.05) for one in several]) for several in ((SURE, weak), (SURE, weak, lost))
    )

    assert (undecided.ruling, undecided.p) == (UNDECIDED, 0.2)
    assert "gated − ensemble is +0.030 (-0.010 to +0.070), p 0.200" in undecided.why
    assert "So many (200) would show 0.050 4 times in 5, and less more seldom." in undecided.why
    assert (fails.ruling, fails.p) == (FAILS, 1)
    assert "gated − merge is -0.200 (-0.300 to -0.100)" in fails.why
    assert "So few (200) can show no effect at all." in verdict([Rises(replace(weak, smallest=math.inf), 0.05)]).why


def test_a_family_asks_for_more() -> None:
    """Benjamini & Hochberg: alone 0.03 will do, among three that say nothing it will not."""
    one = [Rises(replace(SURE, p=0.03), 0.05)]

    alone, among = verdict(one), verdict(one, [0.5, 0.6, 0.9])

    assert (alone.ruling, alone.adjusted, alone.family) == (HOLDS, 0.03, 1)
    assert (among.ruling, among.adjusted, among.family) == (UNDECIDED, pytest.approx(0.12), 4)
    assert verdict(one, [0.001, 0.002, 0.01]).ruling == HOLDS
