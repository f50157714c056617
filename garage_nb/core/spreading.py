"""Spreading: a model over several devices, the host and the disk, by a map that accelerate understands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from weakref import finalize

import torch

from ..errors import InputError, nearest

KINDS = ("auto", "balanced", "balanced_low_0", "sequential")


def spread(load: Callable[..., Any], where: Any, folder: str | Path | None = None) -> Any:
    """What `load(device_map=, offload_folder=)` answers; without a folder one that is gone when the model is.

    InputError for a map that names neither a way to spread nor places of this machine.
    """
    _demand_map(where)
    if folder is not None:
        return _loaded(load, where, str(folder))
    own = TemporaryDirectory(prefix="garage-offload-")
    try:
        model = _loaded(load, where, own.name)
    except BaseException:
        own.cleanup()
        raise
    finalize(model, own.cleanup)
    return model


def _loaded(load: Callable[..., Any], where: Any, folder: str) -> Any:
    model = load(device_map=where, offload_folder=folder)
    known = {name for name, _ in (*model.named_modules(), *model.named_parameters())}
    for name in where if isinstance(where, Mapping) else ():
        if name not in known:  # transformers passes over it
            near = nearest(name, sorted(known))
            raise InputError(f"The device map names {name!r}, which is not in the model.", f"Nearest: {near}.")
    return model


def places_of(model: Any) -> list[str]:
    """Where its weights are: devices, and `disk`."""
    mapped = dict.fromkeys((getattr(model, "hf_device_map", None) or {}).values())
    if mapped:
        return [place if place == "disk" else str(torch.device(place)) for place in mapped]
    return [str(next(model.parameters()).device)]


def _demand_map(where: Any) -> None:
    """By what torch knows: accelerate would say so late, in words of its own."""
    places = where.values() if isinstance(where, Mapping) else () if where in KINDS else (where,)
    if not places and where not in KINDS:
        raise InputError("The device map is empty.", 'Say where the weights go: {"": "cpu"}.')
    for place in places:
        if place == "disk" and isinstance(where, Mapping):
            continue
        try:
            torch.empty(0, device=place)
        except (RuntimeError, AssertionError, TypeError):
            raise InputError(
                f"{place!r} is no place to put weights.",
                f"Use {', '.join(KINDS[:2])}, cpu, or @name for a dict from modules to devices, cpu or disk.",
            ) from None
