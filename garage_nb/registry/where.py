"""Where a part, a unit or a point of one is read and written, or why it cannot be."""

from __future__ import annotations

from ..core.parts import POINTS, Part
from ..core.sites import Site
from ..core.units import Columns, Expert, Unit
from .part_spec import PartSpec

_INSTEAD = "Read the whole layer, or a module inside by its path; `spec.report()` says what was proved."


def missing(part: PartSpec, address: Part) -> str:
    """The reason why it can be neither read nor changed; empty where it can."""
    point = part.point(address.unit) if address.unit and is_point(address) else part.unavailable
    return point if isinstance(point, str) else ""


def instead(part: PartSpec, address: Part) -> str:
    """What to read where it is missing."""
    if is_point(address) and part.count_of("heads"):
        return f"Read {address.whole}.heads instead: what enters its output projection, head beside head."
    return _INSTEAD


def site_at(part: PartSpec, address: Part) -> Site:
    """What leaves the part; for heads and neurons what enters its last projection. Not for what is missing."""
    info, stack, turn = part.extra_info, address.stack, part.extra_info.get("turn")
    point = part.point(address.unit) if address.unit and is_point(address) else None
    if isinstance(point, dict):
        return Site(**{"stack": stack, **point})
    if address.unit is None:
        return Site(part.read_at, turn=turn, times=info.get("times", 1.0), stack=stack)
    unit = _unit(part, address)
    if address.unit.startswith("expert"):
        return Site(info["experts"], turn=turn, times=info.get("experts_times", 1.0), unit=unit, stack=stack)
    return Site(info["projection"], "input", info.get("projection_turn"), unit=unit, stack=stack)


def is_point(address: Part) -> bool:
    return address.unit in POINTS.get(address.kind, ())


def _unit(part: PartSpec, address: Part) -> Unit | None:
    if address.index is None:
        return None
    if address.unit == "expert":
        return Expert(address.index)
    width = part.head_dim if address.unit == "head" else 1
    assert width is not None
    return Columns(address.index * width, (address.index + 1) * width)
