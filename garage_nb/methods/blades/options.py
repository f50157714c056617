"""Options: what can be said of how a blade of each kind is made, and the making that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...errors import InputError, nearest
from ...inject.blades.kinds.projected import PROJECTIONS
from .making import HOW, PLAIN, Making

_ON, _HOW = ("source", "at", "domain", "items"), ("steps", "seed")
OPTIONS = {
    "gated": (*_ON, "gate", "projection", *_HOW),
    "transplant": _ON,
    "projected": (*_ON, "projection"),
    "ffn_output": (*_ON, "projection"),
    "low_rank": (*_ON, "rank", *_HOW),
    "direction": _ON,
    "sae_feature": ("source", "at", "features"),
}
_MAPPED = ("projected", "ffn_output")


def demand_options(kind: str, given: Mapping[str, Any]) -> None:
    """InputError for what a kind does not take; None is nothing given."""
    if kind not in OPTIONS:
        raise InputError(f"There is no blade of kind {kind[:40]!r}.", f"Nearest: {nearest(kind, OPTIONS)}.")
    if odd := [name for name, value in given.items() if value is not None and name not in OPTIONS[kind]]:
        raise InputError(f"{kind} takes no {odd[0]}.", f"It takes: {', '.join(OPTIONS[kind])}.")
    if kind in _MAPPED and given.get("projection") == PLAIN:
        raise InputError(f"{kind} needs a projection.", f"There are: {', '.join(PROJECTIONS)}.")


def making_of(name: str, kind: str, given: Mapping[str, Any]) -> Making:
    """What is not given is as usual."""
    said = {option: value for option, value in given.items() if value is not None}
    training = replace(HOW, **{option: said.pop(option) for option in _HOW if option in said})
    return Making(name=name, kind=kind, training=training, **said)
