"""Measure: what is compared of each item: whether it was right, its answer's log-probability, or another reading."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """`name` is its column in the table of runs, `defined` what its axis says. Items that are `counted` are 0 or 1."""

    name: str
    defined: str
    is_counted: bool = False


ACCURACY = Measure("right", "accuracy, share of items", is_counted=True)
LOG_PROB = Measure("log_prob", "log-probability of the answer, nats")
