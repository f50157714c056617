"""What a report flags, and from where on. Every anomaly carries the threshold it was held against.

================== =============================================================================================
outlier dimensions rms over tokens of one dimension ≥ 6 × that of the median dimension, in the stream and in what is
                   added to it (Dettmers et al. 2022, arXiv:2208.07339; Kovaleva et al. 2021, arXiv:2105.06990; the
                   number is ours: they flag single values)
dead neurons       fired at no token (firing.py says what firing is). None of n tokens means, at 95 %, a rate below
                   3 / n: told only where that is ≤ 1 %, from 300 tokens on
attention sinks    a head gives the first token ≥ 0.4 of its weight (Xiao et al. 2023, arXiv:2309.17453; sink as
                   head_scores defines it; the number is that of `heads`). Not flagged where the prompts are so short
                   that a head that looks evenly back would give it more than half of that
exploding norm     ‖y‖ / ‖x‖ of a token, mean over tokens, ≥ 4 from one place of the stream to the next; the first
                   layer is held against the embedding by the same rule
non-finite values  any NaN or infinite entry
================== =============================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, get_args

from torch import Tensor

from ...errors import InputError, shortened
from ...view.bars import Column, Table, number
from ...view.frames import framed
from ...view.shown import Shown
from ..neurons.firing import THRESHOLD
from .places import kind_of
from .sums import Gauge

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["outlier dimensions", "dead neurons", "attention sinks", "exploding norm", "non-finite values"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NAMED = 5  # members in words


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`firing` is of a neuron at a token; from the others on something is flagged. InputError for one that could tell
    nothing.
    """

    outlier: float = 6.0
    firing: float = THRESHOLD
    rare: float = 0.01
    sink: float = 0.4
    growth: float = 4.0

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if not 0 <= value < math.inf or (name in ("rare", "sink") and not 0 < value <= 1):
                usual = type(self).__dataclass_fields__[name].default
                raise InputError(f"{value:g} is no threshold for {name}.", f"The usual is {usual:g}.")

    @property
    def tokens(self) -> int:
        """How many it takes to call a neuron dead."""
        return math.ceil(3 / self.rare)


@dataclass(frozen=True)
class Anomaly:
    """`amount` stands on the wrong side of `threshold`. `members` are dimensions, neurons or heads; for values that are
    not finite, the prompt that had the first.
    """

    kind: Kind
    place: str
    subject: str
    members: tuple[int, ...]
    amount: float
    threshold: float

    def __str__(self) -> str:
        numbers = shortened([str(member) for member in self.members], NAMED)
        amount = number(self.amount)
        return {
            "outlier dimensions": f"{self._counted('outlier dimension')} ({numbers}), up to {amount} × the median",
            "dead neurons": f"{self._counted('dead neuron')} ({numbers}), rate below {amount}",
            "attention sinks": f"{self._counted('sink head')} ({numbers}), up to {amount}",
            "exploding norm": f"the norm grows {amount}-fold",
            "non-finite values": f"{amount} NaN or infinite, the first in prompt {numbers}",
        }[self.kind]

    def _counted(self, what: str) -> str:
        return f"1 {what}" if len(self.members) == 1 else f"{len(self.members):,} {what}s"


class Anomalies(Shown, tuple[Anomaly, ...]):
    """In the order in which places are read, subject by subject."""

    def frame(self) -> pd.DataFrame:
        """One row an anomaly; `members` are numbers, the one with the largest amount first."""
        keys = [(one.subject, one.place, one.kind) for one in self]
        rows = [[one.amount, one.threshold, ", ".join(map(str, one.members)), str(one)] for one in self]
        return framed(("subject", "place", "kind"), keys, ["amount", "threshold", "members", "said"], rows)

    def picture(self) -> Table:
        columns = [
            Column("subject", [one.subject for one in self]),
            Column("what", [str(one) for one in self]),
            Column("threshold", [one.threshold for one in self]),
        ]
        return Table([one.place for one in self], columns, caption="" if self else "nothing was flagged")


def anomalies(subject: str, place: str, gauge: Gauge, limits: Limits) -> Iterator[Anomaly]:
    """Of one place."""
    kind = kind_of(place)
    if gauge.non_finite:
        yield Anomaly("non-finite values", place, subject, (gauge.first or 0,), gauge.non_finite, 0.0)
    if kind not in ("neurons", "heads"):  # whose dimensions are units, each of a scale of its own
        yield from _from("outlier dimensions", place, subject, gauge.excess, limits.outlier)
    if gauge.sinks is not None and gauge.sinks.telling(limits.sink):
        yield from _from("attention sinks", place, subject, gauge.sinks.scores, limits.sink)
    if gauge.growth >= limits.growth:
        yield Anomaly("exploding norm", place, subject, (), gauge.growth, limits.growth)
    if gauge.rates is not None and gauge.fine >= limits.tokens:
        dead = tuple((gauge.rates == 0).nonzero()[:, 0].tolist())
        if dead:
            yield Anomaly("dead neurons", place, subject, dead, 3 / gauge.fine, limits.rare)


def _from(kind: Kind, place: str, subject: str, values: Tensor, threshold: float) -> Iterator[Anomaly]:
    """The members at or above the threshold, the largest first."""
    order = values.nan_to_num(-1).argsort(descending=True).tolist()
    found = tuple(at for at in order if values[at] >= threshold)
    if found:
        yield Anomaly(kind, place, subject, found, float(values[found[0]]), threshold)
