"""Remark: something a section found out of the ordinary, by a rule that names its threshold; and which come first."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ...view.bars import number

FIRST = 5  # on top of a report


@dataclass(frozen=True, kw_only=True)
class Remark:
    """`said` with its number; `rule` says what the number is and from where on it is told. A rule that asks for at
    most so much `is_most`. What is `grave` comes before all else: the model cannot be trusted, or is not what it was.
    """

    said: str
    rule: str
    value: float
    threshold: float
    is_most: bool = False
    grave: bool = False

    @property
    def is_told(self) -> bool:
        return self.value <= self.threshold if self.is_most else self.value >= self.threshold

    @property
    def times(self) -> float:
        """How many times as far as its threshold the number goes, from 1 on."""
        far, near = (self.threshold, self.value) if self.is_most else (self.value, self.threshold)
        return far / near if near else math.inf

    @property
    def held(self) -> str:
        """The rule with its threshold."""
        return f"{self.rule} {'≤' if self.is_most else '≥'} {number(self.threshold)}"


def ranked(remarks: Iterable[tuple[str, Remark]]) -> list[tuple[str, Remark]]:
    """By section, the grave ones first, then those farthest beyond their thresholds; of equal ones the first."""
    return sorted(remarks, key=lambda pair: (not pair[1].grave, -pair[1].times))


def first(remarks: Iterable[tuple[str, Remark]], count: int = FIRST) -> list[tuple[str, Remark]]:
    """The most remarkable, one of a section, so that one loud section does not silence the others."""
    found: dict[str, Remark] = {}
    for section, remark in ranked(remarks):
        found.setdefault(section, remark)
    return list(found.items())[:count]
