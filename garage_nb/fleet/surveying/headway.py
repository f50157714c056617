"""Headway: how far a survey has come, and when it will be there."""

from __future__ import annotations

from dataclasses import dataclass

from ...plain import count


@dataclass(frozen=True)
class Headway:
    """`texts` are done, of `total` where that is known; `rate` is texts a second lately, None at first."""

    texts: int = 0
    aside: int = 0
    total: int | None = None
    rate: float | None = None

    @property
    def share(self) -> float | None:
        """0 to 1; None where nobody knows how long the corpus is."""
        return None if not self.total else min(1.0, (self.texts + self.aside) / self.total)

    @property
    def left(self) -> float | None:
        """Seconds, at the present rate."""
        if self.total is None or not self.rate:
            return None
        return max(0, self.total - self.texts - self.aside) / self.rate

    def __str__(self) -> str:
        """`1,200 of 10,000 texts, 310 a second, 28 s left`."""
        done = count(self.texts, "text") if self.total is None else f"{self.texts:,} of {count(self.total, 'text')}"
        rate = [] if self.rate is None else [f"{self.rate:,.3g} a second"]
        left = [] if self.left is None else [f"{_time(self.left)} left"]
        aside = [f"{self.aside:,} set aside"] if self.aside else []
        return ", ".join([done, *rate, *left, *aside])


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
