"""Unknown: what to say of a name that stands for nothing in a model: how many there are, or what is near."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.parts import UNITS, parse
from ..errors import UnknownPartError, nearest

if TYPE_CHECKING:
    from .specs import ModelSpec


def unknown(spec: ModelSpec, text: str) -> UnknownPartError:
    what = f"{text!r} is no part of {spec.model_id}."
    return UnknownPartError(what, _counted(spec, text) or f"Nearest: {nearest(text, _sayable(spec))}.")


def _counted(spec: ModelSpec, text: str) -> str:
    """Of a head, a neuron or an expert beyond the last one."""
    address = parse(text)
    if address is None or address.unit is None or address.index is None:
        return ""
    whole = spec.by_address(str(address.whole))
    count = None if whole is None else spec.parts[whole].count_of(address.unit)
    return f"{whole} has {address.unit}_0 to {address.unit}_{count - 1}." if count else ""


def _sayable(spec: ModelSpec) -> list[str]:
    units = [
        f"{name}.{unit}"
        for name, part in spec.parts.items()
        for unit in UNITS.get(part.part_type.value, {}).values()
        if part.count_of(unit)
    ]
    points = [
        f"{name}.{point}"
        for name, part in spec.parts.items()
        for point, where in part.extra_info.get("points", {}).items()
        if isinstance(where, dict)
    ]
    return [*spec.parts, *units, *points, *spec.module_paths]
