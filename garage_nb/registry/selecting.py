"""Selecting: the names that a selector stands for.

`0,6,-1` and `0:12:2` are layers, `attention_*` is every part of a kind, `ffn_*.neurons` what is read inside each that
has it, `attention_3.head_*` the units of a part one by one, and `all` every layer.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..core.parts import parse
from ..errors import PartsLeftOut, UnknownPartError

if TYPE_CHECKING:
    from .specs import ModelSpec

Selector = str | int | Iterable[str | int]


def chosen(spec: ModelSpec, selector: Selector) -> list[str]:
    """Each once, in the order said; what is n/a too. UnknownPartError for whatever stands for nothing."""
    return list(dict.fromkeys(name for text in _texts(selector) for name in _one(spec, text)))


def usable(spec: ModelSpec, selector: Selector) -> list[str]:
    """A PartsLeftOut warning names what a wildcard or range met that is n/a.

    A name that was spelled out stays, and so does everything when nothing would be left: `site` says why not.
    """
    return list(dict.fromkeys(name for text in _texts(selector) for name in _usable(spec, text)))


def _texts(selector: Selector) -> list[str]:
    many = isinstance(selector, Iterable) and not isinstance(selector, str)
    items = list(selector) if many else [selector]  # type: ignore[arg-type]
    texts = [text.strip() for item in items for text in str(item).split(",") if text.strip()]
    if not texts:
        raise UnknownPartError("No part was named.", "Say `all`, `0,3,-1`, `0:6:2`, or `attention_*`.")
    return texts


def _usable(spec: ModelSpec, text: str) -> list[str]:
    met = _one(spec, text)
    missing = {name: reason for name in met if (reason := spec.why_not(name))} if len(met) > 1 else {}
    if not missing or len(missing) == len(met):
        return met
    name, reason = next(iter(missing.items()))
    warnings.warn(PartsLeftOut(text, list(missing), f"{name}: {reason}"), stacklevel=5)
    return [name for name in met if name not in missing]


def _one(spec: ModelSpec, text: str) -> list[str]:
    if text == "all":
        return [f"layer_{i}" for i in range(spec.num_layers)]
    if ":" in text:
        return [f"layer_{i}" for i in _range(spec, text)]
    if "*" in text:
        return _matching(spec, text)
    if text.lstrip("-").isdigit():
        return [spec.name(f"layer_{text}")]
    return [spec.name(text)]


def _matching(spec: ModelSpec, text: str) -> list[str]:
    stem, _, unit = text.partition(".")
    names = _of_kind(spec, stem)
    if not names:
        raise UnknownPartError(
            f"Nothing in {spec.model_id} matches {text!r}.", f"Name other parts; they start with: {_stems(spec)}."
        )
    if not unit:
        return names
    inside = [found for name in names for found in _inside(spec, name, unit)]
    return inside or [spec.name(f"{names[0]}.{unit}")]  # none has such a unit: `name` says what is near


def _of_kind(spec: ModelSpec, stem: str) -> list[str]:
    """`attention_*`, `layer_norm_*`; `attention_3` is the one."""
    wanted = parse(stem.rstrip("_*"))
    if wanted is None:
        return []
    whole = wanted.layer is not None and "*" not in stem
    named = [spec.by_address(stem)] if whole else spec.parts
    return [
        name
        for name in named
        if name is not None and (address := parse(name)) is not None
        if (address.kind, address.stack) == (wanted.kind, wanted.stack)
        if whole or wanted.layer in (None, address.layer)
    ]


def _inside(spec: ModelSpec, name: str, unit: str) -> list[str]:
    each = unit.endswith("_*")
    found = spec.by_address(f"{name}.{unit[:-2]}_0" if each else f"{name}.{unit}")
    if found is None or not each:
        return [] if found is None else [found]
    return [f"{name}.{unit[:-2]}_{number}" for number in range(spec.parts[name].count_of(unit[:-2]) or 0)]


def _range(spec: ModelSpec, text: str) -> range:
    try:
        bounds = [int(piece) if piece else None for piece in text.split(":")]
        layers = range(spec.num_layers)[slice(*bounds)]
    except (ValueError, TypeError):
        raise UnknownPartError(f"{text!r} is no range of layers.", "Write start:stop or start:stop:step.") from None
    beyond = any(bound is not None and abs(bound) > spec.num_layers for bound in bounds[:2])
    if beyond or not layers:
        what = "reaches beyond the layers" if beyond else "holds no layer"
        raise UnknownPartError(f"{text!r} {what} of {spec.model_id}.", f"Layers are 0 to {spec.num_layers - 1}.")
    return layers


def _stems(spec: ModelSpec) -> str:
    return ", ".join(dict.fromkeys(address.kind for name in spec.parts if (address := parse(name)) is not None))
