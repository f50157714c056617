"""Scale: the colour of a number between the least and the largest, and the ink that can be read on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from .palette import AMOUNTS, CHANGES

DARK, BRIGHT = "#000000", "#ffffff"
FAR = 10  # times the median change


@dataclass(frozen=True)
class Scale:
    """`stops` from `low` to `high`, joined by straight lines."""

    low: float
    high: float
    stops: tuple[str, ...]

    def colour(self, number: float) -> str:
        """`#rrggbb`; the middle one where all numbers are the same."""
        share = (number - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        place = min(max(share, 0.0), 1.0) * (len(self.stops) - 1)
        below = min(int(place), len(self.stops) - 2)
        pairs = zip(_rgb(self.stops[below]), _rgb(self.stops[below + 1]), strict=True)
        return "#" + "".join(f"{round(a + (b - a) * (place - below)):02x}" for a, b in pairs)


def scale_of(numbers: Iterable[float], *, signed: bool = False) -> Scale:
    """Amounts from the least to the largest; around 0 where they are signed, as they are where one is below it.

    What is not finite has no say. All zeros where nothing is finite.
    """
    finite = [number for number in numbers if math.isfinite(number)] or [0.0]
    low, high = min(finite), max(finite)
    if not signed and low >= 0:
        return Scale(low, high, AMOUNTS)
    reach = max(abs(low), abs(high))
    return Scale(-reach, reach, CHANGES)


def usual_reach(changes: Iterable[float]) -> float:
    """How far from 0 changes go that are no outliers: ten times the median of those that are not 0; infinity for none.

    Up to half of them may be outliers. What is not finite has no say.
    """
    sizes = [abs(change) for change in changes if change and math.isfinite(change)]
    return FAR * median(sizes) if sizes else math.inf


def ink_on(colour: str) -> str:
    """Black or white, whichever is read more easily: at least 4.5:1 on any colour there is."""
    return max((DARK, BRIGHT), key=lambda ink: contrast(ink, colour))


def contrast(a: str, b: str) -> float:
    """1 to 21, as WCAG 2 defines it."""
    dark, bright = sorted((_luminance(a), _luminance(b)))
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(part / 255) for part in _rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _rgb(colour: str) -> bytes:
    return bytes.fromhex(colour[1:])
