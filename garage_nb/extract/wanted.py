"""Wanted: a part, or some units of one, in whatever way it is said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..core.parts import UNITS, parse
from ..errors import InputError, UnknownPartError
from ..registry.part_spec import PartType
from ..registry.specs import ModelSpec

_GROUP = re.compile(r"(?P<whole>[^\[\].]+)\.(?P<units>[a-z]+)\[(?P<which>[0-9:, -]+)\]")
_LONGEST = 60  # letters of a group that are written out
_ONCE = (PartType.EMBEDDING, PartType.POSITION_EMBEDDING, PartType.OUTPUT_HEAD, PartType.ROTARY_EMB)
Component = str | PartType | Iterable[str]


@dataclass(frozen=True)
class Units:
    """Some heads, neurons or experts of one part, each once, by number."""

    kind: str
    indices: tuple[int, ...]

    def named(self, whole: str) -> str:
        """`attention_3.head_1` for one, `ffn_3.neurons[0:64,70]` for several."""
        if len(self.indices) == 1:
            return f"{whole}.{self.kind}_{self.indices[0]}"
        runs = ",".join(_runs(self.indices))
        if len(runs) > _LONGEST:
            runs = f"{runs[:_LONGEST].rpartition(',')[0]},… {len(self.indices)} in all"
        return f"{whole}.{self.kind}s[{runs}]"


@dataclass(frozen=True)
class Wanted:
    """`part` is a catalogue name; `units` is None where the whole of it is wanted."""

    part: str
    units: Units | None = None

    def __str__(self) -> str:
        return self.part if self.units is None else self.units.named(self.part)


def wanted(spec: ModelSpec, component: Component, layer: int | None = None) -> Wanted:
    """UnknownPartError and InputError say what there is."""
    if not isinstance(component, str):
        return _together(spec, [str(name) for name in component])
    group = _GROUP.fullmatch(component) if layer is None else None
    if group is not None:
        return _group(spec, group["whole"], group["units"], group["which"])
    if layer is None and re.search("[,*]", component):
        return _together(spec, spec.select(component))
    return _together(spec, [_spelled(spec, component, layer)])


def _together(spec: ModelSpec, names: list[str]) -> Wanted:
    """One part, or units of one kind in one part."""
    found = [_one(spec, name) for name in names]
    kinds = {(one.part, one.units.kind if one.units else "") for one in found}
    if not found or len(kinds) > 1 or (len(found) > 1 and found[0].units is None):
        raise InputError(
            f"{', '.join(names[:3]) or 'Nothing'} cannot be taken out as one.",
            "Name one part, or heads, neurons of one part: attention_3.head_0,attention_3.head_2",
        )
    first = found[0]
    if first.units is None:
        return first
    indices = tuple(sorted({index for one in found if one.units for index in one.units.indices}))
    return _with_units(spec, first.part, first.units.kind, indices)


def _one(spec: ModelSpec, asked: str) -> Wanted:
    listed = _listed_expert(spec, asked)
    name = asked if listed is not None else spec.name(asked)
    address = listed or parse(name)
    if address is None or address.unit is None:
        return Wanted(next(key for key, part in spec.parts.items() if part is spec.part(name)))
    whole = str(address.whole)
    if address.index is None:
        several = f", or some: {name}[0:2]" if address.unit in UNITS.get(address.kind, {}).values() else ""
        raise InputError(f"{name} is no module of its own.", f"Take the whole part out: {whole}{several}.")
    return Wanted(whole, Units(address.unit, (address.index,)))


def _listed_expert(spec: ModelSpec, asked: str) -> Any:
    """Experts that are modules of their own are no place of a pass, so the catalogue has no name for one of them."""
    address = parse(asked)
    if address is None or address.unit != "expert" or address.index is None:
        return None
    whole = spec.by_address(str(address.whole))
    info = spec.parts[whole].extra_info if whole is not None else {}
    known = "experts" not in info and 0 <= address.index < (info.get("num_experts") or 0)
    return parse(f"{whole}.expert_{address.index}") if known else None


def _group(spec: ModelSpec, whole: str, units: str, which: str) -> Wanted:
    name = _one(spec, whole).part
    address = parse(name)
    kinds = {many: one for one, many in UNITS.get(address.kind, {}).items()} if address is not None else {}
    count = spec.parts[name].count_of(units) if units in kinds else None
    if count is None:
        raise UnknownPartError(f"{name} has no {units} that could be told apart.", f"Take the whole part out: {name}.")
    return _with_units(spec, name, kinds[units], tuple(sorted(set(_numbers(which, count)))))


def _numbers(which: str, count: int) -> Iterator[int]:
    for piece in which.split(","):
        try:
            bounds = [int(bound) if bound.strip() else None for bound in piece.split(":")]
            numbers = range(count)
            yield from numbers[slice(*bounds)] if len(bounds) > 1 else (numbers[bounds[0]],)  # type: ignore[index]
        except (ValueError, TypeError, IndexError):
            raise UnknownPartError(f"{piece.strip()!r} names none of {count}.", f"They are 0 to {count - 1}.") from None


def _with_units(spec: ModelSpec, name: str, kind: str, indices: tuple[int, ...]) -> Wanted:
    if kind == "expert" and len(indices) > 1:
        raise InputError(
            f"{len(indices)} experts of {name} answer for different tokens.",
            f"Take one expert out, or all with their router: {name}.",
        )
    if not indices:
        raise InputError(f"No {kind} of {name} was named.", f"Say which: {name}.{kind}s[0:2]")
    return Wanted(name, Units(kind, indices))


def _spelled(spec: ModelSpec, component: str, layer: int | None) -> str:
    """The name that a component and a layer spell together."""
    try:
        kind = PartType(component)
    except ValueError:
        if layer is not None:
            raise InputError(
                f"{component!r} with layer_idx={layer} is no type of part.",
                f"Types are {', '.join(kind.value for kind in PartType)}; a full name comes without layer_idx.",
            ) from None
        return str(component)
    if kind in _ONCE:
        return kind.value
    if kind is PartType.LAYER_NORM:
        return "layer_norm_final" if layer is None else _first_norm(spec, layer)
    if layer is None:
        raise InputError(f"Every layer has its own {kind.value}.", "Say which one: layer_idx=0, or -1 for the last.")
    return f"{kind.value}_{layer}"


def _first_norm(spec: ModelSpec, layer: int) -> str:
    index = spec.get_full_layer(layer).layer_idx
    norms = (name for name, part in spec.parts.items() if part.part_type is PartType.LAYER_NORM)
    return next((name for name in norms if spec.parts[name].layer_idx == index), f"layer_norm_{layer}")


def _runs(indices: tuple[int, ...]) -> Iterator[str]:
    """`0:3` and `7` for 0, 1, 2, 7."""
    start = before = indices[0]
    for index in (*indices[1:], -1):
        if index != before + 1:
            yield str(start) if start == before else f"{start}:{before + 1}"
            start = index
        before = index
