"""Numbers as one writes them: `0.5`, `0,0.5,2`, or `0:2:0.25`, a range whose end belongs to it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..errors import InputError

Numbers = str | float | Iterable[float]
MOST = 100_000


def numbers(said: Numbers) -> tuple[float, ...]:
    """InputError for what holds no number, or more of them than anybody meant."""
    try:
        if isinstance(said, str):
            found = [number for piece in said.split(",") for number in _piece(piece.strip())]
        else:
            found = [float(said)] if isinstance(said, int | float) else [float(number) for number in said]
    except (TypeError, ValueError):
        raise InputError(f"{said!r} are no numbers.", "Say 0.5, or 0,0.5,2, or a range 0:2:0.25.") from None
    if not found or not all(map(math.isfinite, found)):
        raise InputError(f"{said!r} holds no finite number.", "Say 0.5, or 0,0.5,2, or a range 0:2:0.25.")
    return tuple(found)


def _piece(piece: str) -> list[float]:
    if ":" not in piece:
        return [float(piece)]
    start, stop, step = (float(bound) for bound in (piece if piece.count(":") == 2 else f"{piece}:1").split(":"))
    count = (stop - start) / step if step else math.inf
    if not 0 <= count < MOST:
        raise ValueError
    return [start + place * step for place in range(math.floor(count + 1e-9) + 1)]
