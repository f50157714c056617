"""Wilson's interval, against published values and against what it solves."""

from __future__ import annotations

import pytest

from garage_nb.analyze.judging.score import Score, Z


def test_interval_is_wilsons() -> None:
    low, high = Score(right=81, n=263).interval

    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I
    assert Score(right=0, n=20).interval == pytest.approx((0.0, 0.1611), abs=1e-4)


@pytest.mark.parametrize(("right", "n"), [(1, 3), (7, 7), (15, 148), (500, 1000)])
def test_its_ends_are_the_shares_that_are_just_not_ruled_out(right: int, n: int) -> None:
    score = Score(right=right, n=n)

    for end in score.interval:
        if 0 < end < 1:
            assert (score.accuracy - end) ** 2 == pytest.approx(Z**2 * end * (1 - end) / n, rel=1e-9)
