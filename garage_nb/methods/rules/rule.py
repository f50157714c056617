"""Rule: a statistic and its thresholds, said before the run and in one place, so that words and deeds cannot part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch

from ..contrast import Contrast
from ..measure import Measure
from ..outcomes import Outcomes
from ..statistics.effect import Effect
from ..statistics.paired import paired
from .hurdle import Hurdle


class Rule(ABC):
    """A claim holds where all hurdles are passed, and does not where one is failed; else it is undecided."""

    measure: Measure  # what arms are shown by
    margin: float  # the least effect by it that would matter

    @property
    @abstractmethod
    def arms(self) -> tuple[str, ...]:
        """Those that it needs."""

    @property
    @abstractmethod
    def said(self) -> str:
        """What is worked out and held against what, in words."""

    @abstractmethod
    def hurdles(self, outcomes: Outcomes, places: Sequence[int], seed: int) -> tuple[Hurdle, ...]:
        """By the items at these places."""


def measured(
    outcomes: Outcomes, asked: Sequence[tuple[Measure, Contrast]], places: Sequence[int], seed: int
) -> list[Effect]:
    """All on the same draws, with intervals over items, and over seeds where they differ."""
    values = torch.stack([outcomes.values(measure, contrast, places) for measure, contrast in asked])
    bounds = [contrast.bound if measure.is_counted else 0.0 for measure, contrast in asked]
    return paired(values, [contrast.said for _, contrast in asked], bounds, seed=seed)


def halves(outcomes: Outcomes, places: Sequence[int]) -> tuple[list[int], list[int]]:
    """Every other item of each domain, and those between: to choose by the first and to test by the second."""
    found: tuple[list[int], list[int]] = ([], [])
    count: dict[str, int] = {}
    for place in places:
        domain = outcomes.items[place].domain
        found[count.get(domain, 0) % 2].append(place)
        count[domain] = count.get(domain, 0) + 1
    return found
