"""Effect: a difference that was measured, where it could be, and the least that would have been found."""

from __future__ import annotations

from dataclasses import dataclass

from .spread import Spread


@dataclass(frozen=True, kw_only=True)
class Effect:
    """`said` names it, `gated − identity`. Low and high are its 95 % interval; p is two-sided, of no effect at all.

    smallest  the effect that so many items and seeds would show 4 times in 5; infinite where they can show none
    spread    how unsure it is, by items (pairs, of a correlation) and by seeds; those that change nothing are one
    """

    said: str
    value: float
    low: float
    high: float
    p: float
    smallest: float
    spread: Spread

    @property
    def n(self) -> int:
        return self.spread.n

    @property
    def seeds(self) -> int:
        return self.spread.seeds
