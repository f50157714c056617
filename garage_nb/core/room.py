"""Room: how much memory an answer will take, said before any of it is taken, and refused past a budget."""

from __future__ import annotations

from ..errors import InputError

KEPT = 1 << 30  # bytes of hidden states that are there at once, where nothing else is said
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def sized(count: float) -> str:
    """`1.5 GiB`; whole bytes below a thousand."""
    place = 0
    while count >= 1000 and place < len(_UNITS) - 1:
        count, place = count / 1024, place + 1
    return f"{count:,.1f} {_UNITS[place]}" if place else f"{count:,.0f} bytes"


def demand_room(what: str, need: int, budget: int, instead: str) -> None:
    """InputError that says what would take how much, and what to ask for instead."""
    if need > budget:
        raise InputError(f"{what} take {sized(need)}, more than {sized(budget)}.", instead)
