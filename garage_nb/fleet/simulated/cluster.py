"""Cluster: what is simulated of workers: how many, how long they take, and what befalls them."""

from __future__ import annotations

import random
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import final

from .delayed import Delayed, Span

SLOWER = 4.0  # how much longer a slow worker takes


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A run takes `seconds` in the median, with a lognormal `spread`, the standard deviation of its logarithm. Of all
    workers a share is `slow`, of all runs a share is `dying`: it takes as long, and its worker is new afterwards.
    """

    workers: int
    seconds: float
    spread: float = 0.3
    slow: float = 0.01
    dying: float = 0.002
    seed: int = 0


@final
class Simulated(AbstractContextManager["Simulated"]):
    """The crew of a cluster."""

    name = "simulated"

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.workers = cluster, cluster.workers
        self._executor = Delayed(cluster.workers, _Fate(cluster))

    def __exit__(self, *failure: object) -> None:
        self._executor.shutdown()

    def hire(self) -> Executor:
        return self._executor

    @property
    def spans(self) -> list[Span]:
        return self._executor.spans


class _Fate:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._random = cluster, random.Random(cluster.seed)
        self._slow = [self._random.random() < cluster.slow for _ in range(cluster.workers)]

    def drawn(self, worker: int) -> tuple[float, bool]:
        pace = SLOWER if self._slow[worker] else 1.0
        seconds = self._cluster.seconds * pace * self._random.lognormvariate(0.0, self._cluster.spread)
        return seconds, self._random.random() < self._cluster.dying
