"""Parts of the model on the lift, and selectors that choose among them: `0,layer_3`, `attention_*`, `ffn_3.neurons`.

The last piece of a list is the one being written. Heads, neurons and experts are offered one by one while they are
few; of ten thousand, one more digit at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..core.parts import UNITS, Part, parse
from ..errors import UnknownPartError
from .offer import Offer, fitting, of_kind

if TYPE_CHECKING:
    from ..registry.part_spec import PartSpec
    from ..registry.specs import ModelSpec

FEW = 64


def selectors(text: str, spec: ModelSpec | None) -> tuple[str, list[Offer]]:
    """The piece being written, and what may stand in its place."""
    piece = text.rpartition(",")[2].lstrip()
    if spec is None:
        return piece, []
    stem, point, inside = piece.partition(".")
    if point:
        return piece, [
            Offer(f"{stem}.{offer.text}", offer.kind) for offer in fitting(inside, _inside(stem, inside, spec))
        ]
    return piece, _whole(piece, spec)


def parts(text: str, spec: ModelSpec | None) -> tuple[str, list[Offer]]:
    """As `selectors`, where one part alone is taken."""
    return text, of_kind("part", [] if spec is None else [name for name in spec.available() if name.startswith(text)])


def _whole(piece: str, spec: ModelSpec) -> list[Offer]:
    """Many and one; before the first letter only the many, and the parts there is one of."""
    named = {name: parse(name) for name in spec.available()}
    many = [_all_of(part) for part in named.values() if part is not None and part.layer is not None]
    wide = of_kind("selector", ["all", *dict.fromkeys(many)])
    single = [name for name, part in named.items() if piece or part is None or part.layer is None]
    found = [offer for offer in (*wide, *of_kind("part", single)) if offer.text.startswith(piece)]
    return found or fitting(piece, [*of_kind("part", _of_layer(piece, named)), *wide])


def _of_layer(piece: str, named: Mapping[str, Part | None]) -> list[str]:
    """What a mistyped name may have meant: the parts with its number, and those without any."""
    digits = re.search(r"[0-9]+", piece)
    layer = int(digits[0]) if digits else None
    return [name for name, part in named.items() if part is not None and part.layer == layer]


def _all_of(part: Part) -> str:
    return f"{Part(part.kind, stack=part.stack)}_*"


def _inside(stem: str, begun: str, spec: ModelSpec) -> Iterable[Offer]:
    """Points, and heads, neurons or experts, of every part the stem stands for."""
    if parse(stem.removesuffix("_*")) is None:
        return []
    try:
        owners = [spec.parts[name] for name in spec.select(stem)]
    except UnknownPartError:
        return []
    groups = dict.fromkeys(group for owner in owners for group in _groups(owner))
    return [*of_kind("selector", groups), *of_kind("part", _single(owners[0], begun))]


def _groups(owner: PartSpec) -> list[str]:
    where = owner.extra_info.get("points", {})
    units = [unit for unit in _units(owner).values() if owner.count_of(unit)]
    return [*units, *(point for point in where if isinstance(where[point], dict))]


def _single(owner: PartSpec, begun: str) -> list[str]:
    """`head_0`, `head_1` …"""
    return [
        f"{unit}_{number}"
        for unit in _units(owner)
        for number in _numbers(begun.removeprefix(f"{unit}_"), owner.count_of(unit) or 0)
    ]


def _numbers(begun: str, count: int) -> list[int]:
    if count <= FEW:
        return list(range(count))
    digits = begun if begun.isdecimal() and begun != "0" else ""
    longer = [int(digits + digit) for digit in "0123456789"]
    return [number for number in ([int(digits)] if digits else []) + longer if number < count]


def _units(owner: PartSpec) -> dict[str, str]:
    return UNITS.get(owner.part_type.value, {})
