"""What a verb brings to a place, from what was said: texts, snapshots, tensors, numbers of experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import EditError, InputError
from ..inject.mask import numbers_in
from ..inject.place import place_of
from ..inject.router import bias_of
from ..inject.sources import rows_at
from ..registry.lift import Lifted
from ..registry.specs import ModelSpec
from ..snapshot.snapshots import Snapshots


def brought(lifted: Lifted, source: Any, name: str) -> Any:
    """Of texts what the untouched model has at a place, of snapshots the one of that place; the rest as it is."""
    if isinstance(source, str) or (isinstance(source, Sequence) and all(isinstance(text, str) for text in source)):
        return rows_at(lifted.model, lifted.spec, name, source, lifted.tokenizer)
    if not isinstance(source, Snapshots):
        return source
    if name not in source:
        raise InputError(f"{name} was not captured.", f"Capture it: --layers {name} --keep.")
    return source[name]


def amounts(spec: ModelSpec, name: str, amount: Any, expert: str | None) -> Any:
    """One number an expert, from one number and the experts that it is for."""
    if expert is None:
        if isinstance(amount, str | int | float):
            raise EditError("No expert was named.", "Write --expert 2, or give one number an expert.")
        return amount
    try:
        number = float(amount)
    except (TypeError, ValueError):
        raise EditError(f"{amount!r} is no number.", "Give a number, such as -10.") from None
    return bias_of(place_of(spec, name).width or 0, dict.fromkeys(numbers_in(str(expert)), number))
