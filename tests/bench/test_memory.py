"""Peaks are exact to the byte, and what a work answers counts."""

from __future__ import annotations

import pytest
import torch

from tests.bench.memory import highest, peak

KIB = 1024


def test_the_running_sum_has_its_top_in_order_of_time() -> None:
    assert highest([(3, -5), (1, 5), (2, 7), (4, 1)]) == 12
    assert highest([(1, -4)]) == 0


def test_an_answer_that_is_kept_and_a_temporary_that_is_not() -> None:
    def work() -> torch.Tensor:
        torch.empty(3 * KIB, dtype=torch.uint8)
        return torch.empty(2 * KIB, dtype=torch.uint8)

    assert peak(work, "cpu") == pytest.approx(3 * KIB, abs=256)


def test_two_kept_at_once_count_both() -> None:
    assert peak(lambda: [torch.empty(KIB) for _ in range(2)], "cpu") == pytest.approx(8 * KIB, abs=256)
