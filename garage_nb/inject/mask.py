"""Mask: several heads or neurons of one part taken out at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..core.parts import UNITS, parse
from ..core.sites import Writer, everywhere
from ..errors import EditError
from .edit import OPTION, Edit, said
from .edits import demand_width
from .place import Place

Numbers = int | str | Iterable[int] | None
Kept = Mapping[str, Sequence[int]]  # by ffn, the neurons that stay
_MOST = 1 << 20  # numbers in one range; no part has more neurons
_WHOLE = {"attention": "heads", "cross_attention": "heads", "ffn": "neurons"}


@dataclass(frozen=True, eq=False)
class Mask(Edit):
    """Zero the heads of an attention or the neurons of an ffn that are in `drop`, or all that are not in `keep`.

    `at` is `attention_3` or `ffn_3`, which stand for `attention_3.heads` and `ffn_3.neurons`. Numbers are counted from
    0, negative ones from the end: `drop=[0, -1]`, or as a text `0,-1` with ranges `4:8`.

    With `fill`, a tensor as wide as the place, they become what it says there in place of 0: the mean of each.
    """

    keep: Numbers = field(default=None, metadata=OPTION)
    drop: Numbers = field(default=None, metadata=OPTION)
    fill: Tensor | None = field(default=None, metadata=OPTION)

    def __post_init__(self) -> None:
        if (self.keep is None) == (self.drop is None):
            raise EditError("A mask says either what it keeps or what it drops.", "Give one of them: --drop 0,3.")
        for name in ("keep", "drop"):
            if (value := getattr(self, name)) is not None:
                self._set(name, numbers_in(value))
        if self.fill is not None and (not isinstance(self.fill, Tensor) or self.fill.ndim != 1):
            raise EditError(f"{said(self.fill)} fills no place.", "Give a tensor as wide as the place, or none for 0.")
        super().__post_init__()
        self._set("at", _with_units(self.at))

    def writer(self, place: Place) -> Writer:
        if not place.units or place.width is None:
            raise EditError(f"{place.name} has no heads or neurons side by side.", "Mask attention_3 or ffn_3.")
        chosen = torch.zeros(place.units, dtype=torch.bool)
        chosen[_inside(self.keep if self.keep is not None else self.drop, place)] = True
        kept = (chosen if self.keep is not None else ~chosen).repeat_interleave(place.width // place.units)
        fill = self.fill
        if fill is None:
            return everywhere(lambda hidden: hidden.where(kept.to(hidden.device), 0))
        demand_width(fill, place)
        return everywhere(lambda hidden: hidden.where(kept.to(hidden.device), fill.to(hidden)))


def _with_units(at: str) -> str:
    address = parse(at)
    if address is None or address.unit is not None or address.kind not in UNITS:
        return at
    return f"{address}.{_WHOLE[address.kind]}"


def numbers_in(value: int | str | Iterable[int]) -> tuple[int, ...]:
    """Each once, of `2`, `0,3,-1`, `4:8`, or any iterable of whole numbers. EditError for anything else."""
    pieces = [value] if isinstance(value, int) else value.split(",") if isinstance(value, str) else list(value)
    try:
        numbers = tuple(number for piece in pieces for number in _piece(str(piece)))
    except ValueError:
        raise EditError(f"{said(value)} are no whole numbers.", "Write 0,3,-1 or 4:8.") from None
    if not numbers:
        raise EditError("None was named.", "Write 0,3,-1 or 4:8.")
    return tuple(dict.fromkeys(numbers))


def _piece(text: str) -> Iterable[int]:
    start, between, stop = text.partition(":")
    if not between:
        return [int(text)]
    span = range(int(start), int(stop))
    if len(span) > _MOST:
        raise ValueError
    return span


def _inside(numbers: object, place: Place) -> list[int]:
    assert isinstance(numbers, tuple)
    wrong = [number for number in numbers if not -place.units <= number < place.units]
    if wrong:
        raise EditError(f"{place.name} has no number {wrong[0]}.", f"They go from 0 to {place.units - 1}.")
    return list(numbers)
