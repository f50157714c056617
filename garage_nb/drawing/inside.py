"""What can be picked inside a part: heads, experts, all of them side by side, and points that have a name.

Neurons are too many to draw one by one; only all of them together are. A new point needs one line in `POINTS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..core.parts import UNITS, Part, parse
from ..plain import count
from ..registry.part_spec import PartSpec
from ..registry.specs import ModelSpec

SINGLE = ("head", "expert")
POINTS = {
    "q": "queries",
    "k": "keys",
    "v": "values",
    "pattern": "attention weights",
    "before": "residual stream entering the block",
    "mid": "residual stream between the halves",
    "choices": "chosen experts",
}


@dataclass(frozen=True)
class Inside:
    """`count` units told apart by number; with a count of 0 the one point of that name."""

    name: str
    count: int
    words: str
    unavailable: str = ""


def whole(spec: ModelSpec, name: str) -> str:
    """The part a name is inside; itself for a whole part."""
    return name if name in spec.parts else name.partition(".")[0]


def inside(name: str, part: PartSpec) -> tuple[Inside, ...]:
    """In the order drawn; nothing of a part that is n/a as a whole."""
    address = parse(name)
    return () if address is None or part.unavailable else (*_units(address, part), *_points(part))


def told(names: Iterable[str]) -> str:
    """`2 heads, q` for names inside one part."""
    addresses = [address for name in names if (address := parse(name)) is not None]
    units = Counter(address.unit for address in addresses if address.index is not None)
    points = [address.unit for address in addresses if address.index is None and address.unit]
    return ", ".join([*(count(number, unit or "") for unit, number in units.items()), *points])


def _units(address: Part, part: PartSpec) -> Iterator[Inside]:
    for unit, units in UNITS.get(address.kind, {}).items():
        number = part.count_of(unit)
        if not number:
            continue
        yield Inside(units, 0, f"{count(number, unit)} side by side")
        if unit in SINGLE:
            width = f", {part.head_dim} wide" if unit == "head" and part.head_dim else ""
            yield Inside(unit, number, f"one of {count(number, unit)}{width}")


def _points(part: PartSpec) -> Iterator[Inside]:
    for point in part.extra_info.get("points", {}):
        where = part.point(point)
        missing = where if isinstance(where, str) else ""
        words = POINTS.get(point, point)
        yield Inside(point, 0, f"{words}; n/a: {missing}" if missing else words, missing)
