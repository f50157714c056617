"""Shade: parts coloured by a number each. The page and the static picture show these same texts and colours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from ..errors import InputError
from ..registry.specs import ModelSpec
from ..snapshot.measures import defined, head
from ..snapshot.snapshots import Snapshots
from ..view.bars import number
from ..view.scale import Scale, ink_on, scale_of
from .inside import whole

SIGNED = ("mean", "min", "max")
STATISTIC = "norm"


class Tint(NamedTuple):
    """`text` is the number; `colour` and `ink` are empty where it is not finite."""

    text: str
    colour: str
    ink: str


@dataclass(frozen=True)
class Shade:
    """`numbers` by catalogue name; `label` defines them, `short` stands before one of them. Falsy without any."""

    numbers: Mapping[str, float] = field(default_factory=dict)
    label: str = ""
    short: str = ""
    signed: bool = False

    def __bool__(self) -> bool:
        return bool(self.numbers)

    @cached_property
    def scale(self) -> Scale:
        return scale_of(self.numbers.values(), signed=self.signed)

    @cached_property
    def tints(self) -> dict[str, Tint]:
        return {name: self._tint(value) for name, value in self.numbers.items()}

    @cached_property
    def finite(self) -> list[float]:
        """What has a colour."""
        return [value for value in self.numbers.values() if math.isfinite(value)]

    @property
    def told(self) -> str:
        """The definition; with the least and the largest, in figures, where the scale does not end there."""
        if not self.finite:
            return f"{self.label}: nowhere a finite number"
        reach = number(min(self.finite)), number(max(self.finite))
        return self.label if reach == self.ends else f"{self.label}: {' to '.join(reach)}"

    @property
    def ends(self) -> tuple[str, str]:
        """Of the scale, in figures."""
        return number(self.scale.low), number(self.scale.high)

    def words(self, name: str) -> str:
        """`norm 2.310`; empty where the part has no number."""
        return f"{self.short} {self.tints[name].text}".strip() if name in self.tints else ""

    def page(self) -> dict[str, Any]:
        if not self:
            return {}
        scale = {"ends": list(self.ends), "stops": list(self.scale.stops)}
        tints = {name: list(tint) for name, tint in self.tints.items()}
        return {"told": self.told, "short": self.short, "parts": tints, **scale}

    def _tint(self, value: float) -> Tint:
        if not math.isfinite(value):
            return Tint(number(value), "", "")
        colour = self.scale.colour(value)
        return Tint(number(value), colour, ink_on(colour))


def shade_of(spec: ModelSpec, numbers: Snapshots | Mapping[str, Any] | None, what: str | None) -> Shade:
    """Of a capture `what` is a statistic; of a mapping, or a column of a frame, the words of the legend."""
    if numbers is None:
        return Shade()
    if isinstance(numbers, Snapshots):
        return _of_capture(spec, numbers, what or STATISTIC)
    if not hasattr(numbers, "items"):
        raise InputError(
            f"A {type(numbers).__name__} has no number for each part.", "Give a capture, or {name: number}."
        )
    return Shade(_named(spec, numbers), what or "value", what or "")


def _of_capture(spec: ModelSpec, shots: Snapshots, statistic: str) -> Shade:
    numbers = dict(zip(shots, shots.values_of(statistic), strict=True))
    label, short = defined(statistic, shots.tau), head(statistic, shots.tau)
    return Shade(_named(spec, numbers), label, short, statistic in SIGNED)


def _named(spec: ModelSpec, numbers: Mapping[str, Any]) -> dict[str, float]:
    """By catalogue name. InputError where nothing can be coloured."""
    named = {spec.name(name): _number(name, value) for name, value in numbers.items()}
    if not any(math.isfinite(value) and whole(spec, name) in spec.parts for name, value in named.items()):
        raise InputError("There is no finite number of any part here.", "Give {name: number}, or None for no colours.")
    return named


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{name!r} has no number, but a {type(value).__name__}.", "Give {name: number}.") from None
