"""Choosing: the best of several ways to answer, on the items to choose by: never on those that test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from ...analyze.judging.exercise import Exercise
from ...registry.lift import Lifted
from .papers import Answering, Papers

T = TypeVar("T")


def chosen(several: Iterable[tuple[T, Answering]], reader: Lifted, exercises: Iterable[Exercise]) -> T:
    """Whose answers have the highest mean log-probability; the first of equals."""
    papers = Papers.of(reader, list(exercises))
    return max(several, key=lambda one: float(papers.marked(one[1]).log_probs.mean()))[0]
