"""Student's t, for whole degrees of freedom: what a few seeds allow to be said where many would follow the normal.

Abramowitz & Stegun, "Handbook of Mathematical Functions", 1964, 26.7.3 and 26.7.4: a finite sum.
"""

from __future__ import annotations

from functools import lru_cache
from math import atan, cos, isinf, pi, sin, sqrt

MOST = 1000  # degrees of freedom; beyond, the normal differs by less than 0.002
_NARROW = 1e-12


def two_sided(t: float, freedom: int) -> float:
    """How often a t at least as far from 0 comes by chance."""
    if isinf(t):
        return 0.0
    freedom = min(freedom, MOST)
    angle = atan(abs(t) / sqrt(freedom))
    inside = _odd(angle, freedom) if freedom % 2 else _even(angle, freedom)
    return min(1.0, max(0.0, 1 - inside))


def one_sided(t: float, freedom: int) -> float:
    """How often a t at least as large comes by chance."""
    half = two_sided(t, freedom) / 2
    return half if t > 0 else 1 - half


@lru_cache(256)
def quantile(share: float, freedom: int) -> float:
    """The t that a share of all lie below; the share is above a half."""
    low, high = 0.0, 1.0
    while 1 - one_sided(high, freedom) < share:
        high *= 2
    while high - low > _NARROW * high:
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - one_sided(middle, freedom) < share else (low, middle)
    return high


def _odd(angle: float, freedom: int) -> float:
    total, term = angle, sin(angle) * cos(angle)
    for number in range(1, freedom - 1, 2):
        total += term
        term *= cos(angle) ** 2 * (number + 1) / (number + 2)
    return 2 * total / pi


def _even(angle: float, freedom: int) -> float:
    total, term = 0.0, sin(angle)
    for number in range(0, freedom, 2):
        total += term
        term *= cos(angle) ** 2 * (number + 1) / (number + 2)
    return total
