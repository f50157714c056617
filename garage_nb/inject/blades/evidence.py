"""Evidence: what was measured of a blade, arm by arm. Measuring is done elsewhere; this keeps it and shows it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ...errors import EditError
from ...view.bars import Column, Table
from ...view.frames import framed
from ...view.shown import Shown
from ..edit import said
from .strict import count, made, named, number, or_none, several, text, whole

if TYPE_CHECKING:
    import pandas as pd

_HASH = re.compile(r"[0-9a-f]{8,128}")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """The `effect` over the untouched target on `n` items, and the interval `low` to `high` around it.

    `accuracy` is the share of the items that the arm answers right, None where that was not counted.
    """

    name: str
    n: int
    effect: float
    low: float
    high: float
    accuracy: float | None = None

    def __post_init__(self) -> None:
        if not self.low <= self.effect <= self.high or self.n < 1:
            raise EditError(
                f"An effect of {self.effect:g} on {self.n} items does not lie from {self.low:g} to {self.high:g}.",
                "Give an interval around it, of one item at least.",
            )


@dataclass(frozen=True, kw_only=True, repr=False)
class Evidence(Shown):
    """`metric` says what an effect is of and in what unit; `models` and `data` are hashes of what was measured with.

    `retention` has an arm for each other domain, the blade's own effect there. `forwards` is how many passes a token
    costs, that of the target among them. EditError without an arm, or without a seed.
    """

    metric: str
    arms: tuple[Arm, ...]
    retention: tuple[Arm, ...] = ()
    seeds: tuple[int, ...] = (0,)
    models: Mapping[str, str]
    data: str
    forwards: float = 1.0

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        if not names or not self.seeds or len({*names}) < len(names):
            raise EditError("Evidence has arms by name, and seeds.", "Measure the blade beside the untouched target.")
        if not _HASH.fullmatch(self.data):
            raise EditError(f"{said(self.data)} is no hash of data.", "Give the sha256 in hexadecimal.")

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "models": dict(self.models)}

    @classmethod
    def from_json(cls, data: Any) -> Evidence:
        return made(cls, data, _EVIDENCE)

    def frame(self) -> pd.DataFrame:
        """One row an arm, then one a domain that should have stayed as it was."""
        names = [*(("arm", arm.name) for arm in self.arms), *(("retention", arm.name) for arm in self.retention)]
        every = (*self.arms, *self.retention)
        rows = [(arm.n, arm.effect, arm.low, arm.high, _number(arm.accuracy)) for arm in every]
        return framed(("of", "name"), names, ["n", "effect", "low", "high", "accuracy"], rows)

    def picture(self) -> Table:
        every = [*self.arms, *self.retention]
        columns = [
            Column(self.metric, [arm.effect for arm in every]),
            Column("from", [arm.low for arm in every]),
            Column("to", [arm.high for arm in every]),
            Column("accuracy", [_number(arm.accuracy) for arm in every]),
            Column("items", [arm.n for arm in every]),
        ]
        names = [*(arm.name for arm in self.arms), *(f"kept: {arm.name}" for arm in self.retention)]
        seeds = f"{len(self.seeds)} seed{'s' * (len(self.seeds) > 1)}"
        cost = f"{self.forwards:g} forward{'s' * (self.forwards != 1)} a token"
        return Table(names, columns, caption=f"{seeds}; {cost}; data {self.data[:8]}")


def _number(accuracy: float | None) -> float:
    return math.nan if accuracy is None else accuracy


def _arm(data: Any) -> Arm:
    return made(Arm, data, _ARM)


_ARM = {
    "name": text, "n": count, "effect": number, "low": number, "high": number, "accuracy": or_none(number),
}  # fmt: skip


_EVIDENCE = {
    "metric": text, "arms": several(_arm), "retention": several(_arm), "seeds": several(whole),
    "models": named(text), "data": text, "forwards": number,
}  # fmt: skip
