"""Traits that name parts of a model: any selector goes in, names in the model's order come out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import traitlets

from ..core.parts import parse
from ..drawing.inside import whole
from ..errors import InputError
from ..registry.specs import ModelSpec

Names = str | int | Iterable[str | int] | None


class Parts(traitlets.TraitType):  # type: ignore[type-arg]  # traitlets before 5.10 takes none
    """What `spec.usable` understands: parts, and heads, experts, neurons and points inside them.

    A module that is no part is an InputError.
    """

    default_value = ()

    def validate(self, obj: Any, value: Names) -> tuple[str, ...]:
        return in_order(obj.spec, _names(obj.spec, value))


class Picked(Parts):
    """What can be read and changed, and one of it where the picker takes one.

    What is n/a is refused with its reason, and a wildcard leaves it out.
    """

    def validate(self, obj: Any, value: Names) -> tuple[str, ...]:
        picked = super().validate(obj, value)
        for name in picked:
            obj.spec.site(name)
        if len(picked) > 1 and not obj.multiple:
            raise InputError(f"This picker takes one part, not {len(picked)}.", "Make it with multiple=True for more.")
        return picked


def in_order(spec: ModelSpec, names: Iterable[str]) -> tuple[str, ...]:
    """Each once: part by part from the input up, a part before what is inside it, units by number."""
    rank = {name: place for place, name in enumerate(spec.parts)}
    return tuple(sorted(dict.fromkeys(names), key=lambda name: (rank[whole(spec, name)], *_unit(spec, name))))


def _unit(spec: ModelSpec, name: str) -> tuple[str, int]:
    address = None if name in spec.parts else parse(name)
    if address is None:
        return "", -1
    return address.unit or "", -1 if address.index is None else address.index


def _names(spec: ModelSpec, value: Names) -> list[str]:
    names = _said(spec, value)
    foreign = next((name for name in names if name not in spec.parts and parse(name) is None), None)
    if foreign:
        raise InputError(f"{foreign!r} is a module, and no part that is drawn.", "Name parts: attention_3, ffn_*.")
    return names


def _said(spec: ModelSpec, value: Names) -> list[str]:
    if isinstance(value, str | int):
        return spec.usable(value) if value != "" else []
    if not isinstance(value, Iterable | None):
        raise InputError(f"{value!r} names no parts.", 'Give names, such as ("attention_3", "layer_5").')
    items = list(value or ())
    return spec.usable(items) if items else []
