"""Traits of the tuning bench: which parts have a fader, and where each of them stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import traitlets

from ..errors import InputError
from .parts import Names, Picked

MOST = 24  # faders: more of them than a screen holds help nobody


class Faders(Picked):
    """Parts that can be scaled, and not too many."""

    def validate(self, obj: Any, value: Names) -> tuple[str, ...]:
        parts = super().validate(obj, value)
        if len(parts) > MOST:
            raise InputError(f"{len(parts)} parts are picked, and the bench has {MOST} faders.", "Pick fewer.")
        for part in parts:
            obj.desk.turned(part, 0.5)
        return parts


class Factors(traitlets.TraitType):  # type: ignore[type-arg]  # traitlets before 5.10 takes none
    """Part -> factor, of parts that have a fader; those left out stay where they are."""

    default_value: Any = {}  # noqa: RUF012 - never written to

    def validate(self, obj: Any, value: object) -> Any:
        return _factors(obj, value)


class Move(traitlets.TraitType):  # type: ignore[type-arg]
    """Factors under a hand: `(gesture, factors)`, where moves of one gesture are one step for undo."""

    default_value: Any = (0, {})

    def validate(self, obj: Any, value: object) -> Any:
        pair = value if isinstance(value, list | tuple) and len(value) == 2 else (None, None)
        if isinstance(pair[0], bool) or not isinstance(pair[0], int):
            raise InputError("The page sent a move without its number.", "Run the cell again.")
        return pair[0], _factors(obj, pair[1])


def _factors(bench: Any, value: object) -> dict[str, float]:
    given = dict(value) if isinstance(value, Mapping) else {"": value}
    for part, factor in given.items():
        if part not in bench.parts:
            raise InputError(f"{str(part)[:60]!r} has no fader.", "Add it to the parts of the bench first.")
        if isinstance(factor, bool) or not isinstance(factor, int | float):
            raise InputError(f"{str(factor)[:60]!r} is no factor for {part}.", "Give a number, such as 0.5.")
        bench.desk.turned(part, float(factor))
    return {part: float(given.get(part, bench.desk.factor(part))) for part in bench.parts}
