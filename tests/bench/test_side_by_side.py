"""The stopwatch itself: pairs are interleaved and the ratio is that of the pairs."""

from __future__ import annotations

import pytest

from tests.bench.side_by_side import compare


def test_both_run_in_turns_and_the_ratio_is_pairwise(monkeypatch: pytest.MonkeyPatch) -> None:
    now, order = [0.0], []
    monkeypatch.setattr("tests.bench.side_by_side.time.perf_counter", lambda: now[0])

    def work(name: str, seconds: float) -> None:
        order.append(name)
        now[0] += seconds

    found = compare("x", lambda: work("a", 2.0), lambda: work("b", 3.0), pairs=4, target=1.15)

    assert order[6:] == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert (found.ratio, found.low, found.high) == pytest.approx((1.5, 1.5, 1.5))
    assert (found.theirs, found.ours) == pytest.approx((2.0, 3.0))
    assert "MISSED" in found.row()
