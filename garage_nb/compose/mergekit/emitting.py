"""Emitting: the parameters of a blend, as a recipe has them: some for each source, the others for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..blends.blend import Blend, default_of, plain
from ..blends.deltas import Deltas
from ..blends.methods import parameters

Said = dict[str, Any]


def parameters_said(blend: Blend, sources: int) -> tuple[list[Said], Said]:
    """For each of so many sources, the one that stands first among them, and for all. Defaults are left out."""
    first = 1 if isinstance(blend, Deltas) else 0
    each: list[Said] = [{} for _ in range(sources)]
    shared: Said = {}
    for name, item in parameters(type(blend)).items():
        value = getattr(blend, item.name)
        if name == "seed" or value == default_of(item):
            continue
        if not isinstance(value, tuple):
            shared[name] = plain(value)
        elif len(value) == 1:
            shared[name] = plain(value[0])
        else:
            for source, own in zip(each[first:], value, strict=False):
                source[name] = plain(own)
    return each, shared


def under(said: Mapping[str, Any]) -> Said:
    """As an entry of its own, where there is anything."""
    return {"parameters": dict(said)} if said else {}
