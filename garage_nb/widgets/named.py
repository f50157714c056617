"""Widgets by name, as `show` takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import InputError, nearest
from .attention import AttentionView
from .bench import TuningBench
from .chamber import DebateChamber
from .composer import Composer
from .dashboard import Dashboard
from .lens import LensView
from .picker import LayerPicker
from .ping import Ping
from .scope import SparsityScope

NAMED: dict[str, Callable[..., Any]] = {
    "picker": LayerPicker,
    "bench": TuningBench,
    "scope": SparsityScope,
    "attention": AttentionView,
    "lens": LensView,
    "debate": DebateChamber,
    "dashboard": Dashboard,
    "composer": Composer,
    "ping": Ping,
}


def made(name: str, garage: Any, **given: Any) -> Any:
    """A widget of that name on a Garage. What was `given` as None was not said; InputError for what it cannot use."""
    if name not in NAMED:
        raise InputError(f"There is no widget {name!r}.", f"Nearest: {nearest(name, NAMED)}.")
    return NAMED[name](garage, **{option: value for option, value in given.items() if value is not None})
