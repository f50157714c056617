"""Widgets by name, as `show` takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import InputError, nearest
from .panel import Panel
from .picker import LayerPicker
from .ping import Ping

NAMED: dict[str, Callable[[Any], Panel]] = {"picker": LayerPicker, "ping": Ping}


def made(name: str, garage: Any) -> Panel:
    """A widget of that name on a Garage."""
    if name not in NAMED:
        raise InputError(f"There is no widget {name!r}.", f"Nearest: {nearest(name, NAMED)}.")
    return NAMED[name](garage)
