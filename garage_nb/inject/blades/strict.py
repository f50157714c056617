"""Strict: values out of JSON that anybody may have written, field by field or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from ...errors import BladeFileError

T = TypeVar("T")
LONGEST = 4096  # characters of a text


def made(kind: Callable[..., T], data: Any, readers: Mapping[str, Callable[[Any], Any]]) -> T:
    """`kind(**data)` with every field read. BladeFileError for one too many, missing or of another type."""
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(data, dict) or data.keys() != known:
        odd = sorted(map(str, known ^ set(data)))[0] if isinstance(data, dict) else str(type(data).__name__)
        raise _odd(odd)
    return kind(**{name: _read(name, readers[name], value) for name, value in data.items()})


def text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ValueError
    return value


def count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError
    return value


def whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError
    return value


def number(value: Any) -> float:
    """Finite."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def or_none(reader: Callable[[Any], T]) -> Callable[[Any], T | None]:
    return lambda value: None if value is None else reader(value)


def several(reader: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    def read(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise ValueError
        return tuple(map(reader, value))

    return read


def named(reader: Callable[[Any], T]) -> Callable[[Any], dict[str, T]]:
    def read(value: Any) -> dict[str, T]:
        if not isinstance(value, dict):
            raise ValueError
        return {text(name): reader(item) for name, item in value.items()}

    return read


def _read(name: str, reader: Callable[[Any], Any], value: Any) -> Any:
    try:
        return reader(value)
    except (ValueError, TypeError, OverflowError) as error:
        if isinstance(error, BladeFileError):
            raise
        raise _odd(name) from None


def _odd(name: str) -> BladeFileError:
    return BladeFileError(
        f"This is no blade: {name[:40]!r} is wrong in it.", "It was damaged, or saved by another version."
    )
