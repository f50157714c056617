"""Hurdle: one thing that must be so for a claim to hold, with what would show that it is not.

A hurdle can be passed, failed, or neither. None is failed for want of items: only where those there are would have
shown an effect of the margin 4 times in 5. The margin is the least effect that would matter, said beforehand.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from ...analyze.judging.contest import LEVEL
from ..statistics.effect import Effect

PASSED, FAILED, OPEN = "passed", "failed", "open"


@dataclass(frozen=True)
class Hurdle(ABC):
    effect: Effect
    margin: float

    @property
    @abstractmethod
    def passed(self) -> bool:
        """By the interval; p of the whole claim is asked for besides."""

    @property
    @abstractmethod
    def failed(self) -> bool:
        """Never together with `passed`."""

    @property
    @abstractmethod
    def p(self) -> float:
        """How often as much speaks for it when it is not so."""

    @property
    @abstractmethod
    def wanted(self) -> str:
        """What must be so, in words."""

    @property
    def ruling(self) -> str:
        return PASSED if self.passed else FAILED if self.failed else OPEN

    @property
    def is_seen(self) -> bool:
        """Whether an effect of the margin would have been found 4 times in 5."""
        return self.effect.smallest <= self.margin

    @property
    def is_told(self) -> bool:
        """Whether so many items can show anything at all."""
        return math.isfinite(self.effect.smallest)

    @property
    def measured(self) -> str:
        """`gated − identity is +0.031 (−0.012 to +0.070)`."""
        one = self.effect
        where = "no interval" if math.isnan(one.low) else f"{one.low:+.3f} to {one.high:+.3f}"
        return f"{one.said} is {one.value:+.3f} ({where})"


class Rises(Hurdle):
    """The effect is above 0, and not certainly below the margin."""

    @property
    def passed(self) -> bool:
        return self.effect.low > 0 and self.is_told and not self.failed

    @property
    def failed(self) -> bool:
        """It is below 0, or less than what would matter."""
        is_below = self.effect.high < 0 and self.effect.p <= LEVEL
        return (is_below and self.is_told) or (self.effect.high < self.margin and self.is_seen)

    @property
    def p(self) -> float:
        """Two-sided; 1 where it goes the other way."""
        return self.effect.p if self.effect.value > 0 else 1.0

    @property
    def wanted(self) -> str:
        return f"above 0, and by {self.margin:g} or more to matter"


class Witness(Rises):
    """A positive control: that it is not seen speaks against the items, not against the claim."""

    @property
    def failed(self) -> bool:
        return False

    @property
    def wanted(self) -> str:
        return f"{super().wanted}, or nothing can be told here"


def rising(effects: Sequence[Effect], margin: float) -> tuple[Rises, ...]:
    return tuple(Rises(one, margin) for one in effects)


class Stays(Hurdle):
    """The effect is within the margin on either side: equivalence, by two one-sided tests (Schuirmann 1987)."""

    @property
    def passed(self) -> bool:
        return -self.margin < self.effect.low and self.effect.high < self.margin and self.is_seen

    @property
    def failed(self) -> bool:
        """It is there, and may be large enough to matter."""
        is_there = (self.effect.low > 0 or self.effect.high < 0) and self.effect.p <= LEVEL
        return is_there and self.is_told and not self.passed

    @property
    def p(self) -> float:
        return self.effect.spread.tail(self.margin - abs(self.effect.value))

    @property
    def wanted(self) -> str:
        return f"within {self.margin:g} of 0"
