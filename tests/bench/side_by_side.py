"""Timing two ways of doing a thing side by side, so that a busy machine slows both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

Work = Callable[[], object]
Pair = tuple[float, float]  # theirs, ours


def quotient(theirs: float, ours: float) -> float:
    return ours / theirs


@dataclass(frozen=True)
class Ratio:
    """`ours` against `theirs` in seconds (medians), and the ratio pair by pair."""

    name: str
    theirs: float
    ours: float
    ratio: float
    low: float
    high: float
    pairs: int
    target: float | None = None

    @classmethod
    def of(
        cls,
        name: str,
        taken: Sequence[Pair],
        *,
        target: float | None = None,
        value: Callable[[float, float], float] = quotient,
    ) -> Ratio:
        """`value` says what one pair comes to."""
        ratios = [value(theirs, ours) for theirs, ours in taken]
        return cls(
            name=name,
            theirs=statistics.median(theirs for theirs, _ in taken),
            ours=statistics.median(ours for _, ours in taken),
            ratio=statistics.median(ratios),
            low=min(ratios),
            high=max(ratios),
            pairs=len(taken),
            target=target,
        )

    def row(self) -> str:
        target = (
            ""
            if self.target is None
            else f"  target {self.target:.2f}  {'held' if self.ratio <= self.target else 'MISSED'}"
        )
        return (
            f"{self.name:<44} {self.theirs * 1e3:9.2f} {self.ours * 1e3:9.2f} "
            f"{self.ratio:7.4f}  ({self.low:.3f} to {self.high:.3f}){target}"
        )

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


HEAD = f"{'':<48} {'theirs ms':>9} {'ours ms':>9} {'ratio':>7}  (min to max of pairs)"


def compare(name: str, theirs: Work, ours: Work, *, pairs: int, target: float | None = None) -> Ratio:
    """Interleaved after a warm-up; every other pair runs in the other order."""
    for _ in range(3):
        theirs()
        ours()
    return Ratio.of(name, [pair(theirs, ours, swap=bool(turn % 2)) for turn in range(pairs)], target=target)


def pair(theirs: Work, ours: Work, *, swap: bool) -> Pair:
    """Seconds of both, one after the other; `swap` runs ours first."""
    if swap:
        ours_taken = _seconds(ours)
        return _seconds(theirs), ours_taken
    theirs_taken = _seconds(theirs)
    return theirs_taken, _seconds(ours)


def _seconds(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
