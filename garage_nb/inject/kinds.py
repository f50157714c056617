"""Kinds: every edit there is, by the verb it is said and saved with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from torch import Tensor

from ..errors import EditError, nearest
from .ablate import Ablate
from .blades.edit import BladeEdit, values_in
from .edit import Edit
from .edits import Add, Noise, Scale, Steer, Through
from .mask import Mask
from .patch import Patch
from .rounds import Debate
from .router import RouterBias
from .routing.experts import Experts
from .routing.isolate import Isolate
from .routing.reroute import Reroute
from .sae import Sae
from .threshold import Threshold

KINDS: dict[str, type[Edit]] = {
    "scale": Scale,
    "add": Add,
    "steer": Steer,
    "noise": Noise,
    "ablate": Ablate,
    "patch": Patch,
    "mask": Mask,
    "threshold": Threshold,
    "bias": RouterBias,
    "experts": Experts,
    "isolate": Isolate,
    "reroute": Reroute,
    "sae": Sae,
    "blade": BladeEdit,
    "through": Through,
    "debate": Debate,
}
READERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Tensor]], dict[str, Any]]] = {"blade": values_in}


def edit_from(data: Any, tensors: Mapping[str, Tensor]) -> Edit:
    """The edit that `to_json` wrote. EditError for a kind, a field or a value that is none."""
    verb = str(data.get("edit") if isinstance(data, dict) else data)
    if verb not in KINDS or not isinstance(data, dict):
        raise EditError(f"There is no edit {verb[:40]!r}.", f"Nearest: {nearest(verb, KINDS)}.")
    kind, given = KINDS[verb], {name: value for name, value in data.items() if name != "edit"}
    values = READERS[verb](given, tensors) if verb in READERS else _fields(kind, verb, given, tensors)
    try:
        return kind(**values)
    except TypeError as error:
        raise EditError(f"The edit {verb} cannot be made: {error}.", "Check what it was given.") from None


def _fields(kind: type[Edit], verb: str, given: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """By name. EditError for one too many, or one that is missing."""
    known = {item.name: item for item in fields(kind)}
    needed = {name for name, item in known.items() if item.default is MISSING}
    if unknown := (given.keys() - known.keys()) | (needed - given.keys()):
        raise EditError(f"The edit {verb} has another {sorted(unknown)[0][:40]!r}.", "It was saved by another version.")
    return {name: _live(value, tensors) for name, value in given.items()}


def _live(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return tuple(_live(item, tensors) for item in value)
    if not isinstance(value, dict):
        return value
    if value.keys() != {"tensor"} or str(value["tensor"]) not in tensors:
        raise EditError("A tensor of this edit is missing.", "Keep the file of tensors beside the recipe.")
    return tensors[str(value["tensor"])]
