"""Contrast: a weighted sum of arms, such as a difference of two, a difference of differences, or a slope over doses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import InputError


@dataclass(frozen=True)
class Contrast:
    """`weights` by arm, which sum to 0: what all arms share is no effect. `said` is how it is named."""

    said: str
    weights: tuple[tuple[str, float], ...]

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(arm for arm, _ in self.weights)

    @property
    def bound(self) -> float:
        """The farthest from 0 that it can be of one item that counts 0 or 1."""
        return sum(weight for _, weight in self.weights if weight > 0)

    def __neg__(self) -> Contrast:
        return Contrast(f"−({self.said})", tuple((arm, -weight) for arm, weight in self.weights))

    def __sub__(self, other: Contrast) -> Contrast:
        """Arms that fall out are left out."""
        found = dict(self.weights)
        for arm, weight in other.weights:
            found[arm] = found.get(arm, 0.0) - weight
        return Contrast(f"({self.said}) − ({other.said})", tuple((arm, w) for arm, w in found.items() if w))


def difference(first: str, second: str) -> Contrast:
    return Contrast(f"{first} − {second}", ((first, 1.0), (second, -1.0)))


def interaction(none: str, a: str, b: str, both: str) -> Contrast:
    """Difference in differences: what both do beyond what each does alone. `a` and `b` may be the same one, twice."""
    weights = {both: 1.0, none: 1.0}
    for arm in (a, b):
        weights[arm] = weights.get(arm, 0.0) - 1.0
    said = f"{both} − {a} − {b} + {none}" if a != b else f"{both} − 2 · {a} + {none}"
    return Contrast(said, tuple(weights.items()))


def slope(doses: Mapping[str, float]) -> Contrast:
    """Least squares, per unit of dose. InputError where all doses are the same."""
    middle = sum(doses.values()) / len(doses)
    spread = sum((dose - middle) ** 2 for dose in doses.values())
    if not spread:
        raise InputError(f"{len(doses)} arms have the same dose.", "A slope needs two doses or more.")
    return Contrast("slope per unit of dose", tuple((arm, (dose - middle) / spread) for arm, dose in doses.items()))
