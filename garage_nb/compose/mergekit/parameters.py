"""Parameters: those of a recipe that hold for one slice, made into a blend.

What a source says goes before what its slice says, and that before what is said of the whole; where names of tensors
are told apart and none fits, the next in this order is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import MISSING, Field
from typing import Any

from ...errors import RecipeFileError
from ..blends.blend import Blend
from ..blends.deltas import Deltas
from ..blends.methods import METHODS, blend_from, parameters, truth
from ..blends.value import Value
from .recipe import Parameters, Slice, Source

OF_SOURCES = {"weight", "density", "scale"}
_SEED = "seed"
_INT8 = "int8_mask"  # how mergekit keeps a mask in memory; no number depends on it


def kind_of(method: str) -> type[Blend]:
    if method not in METHODS:
        raise RecipeFileError(f"merge_method is {method[:40]!r}.", f"Understood: {', '.join(METHODS)}.")
    return METHODS[method]


def blend_for(kind: type[Blend], sources: Sequence[Source], part: Slice, general: Parameters, seed: int) -> Blend:
    """`sources` are those that have parameters of their own. RecipeFileError or InputError for what is missing or
    not understood."""
    demand_known(kind, part.parameters, "A slice")
    demand_known(kind, general, "The recipe")
    for source in sources:
        demand_known(kind, source.parameters, source.model, OF_SOURCES)
    known = {name: item for name, item in parameters(kind).items() if name != _SEED}
    given = {name: _said(item, name, sources, (part.parameters, general)) for name, item in known.items()}
    given = {name: value for name, value in given.items() if value is not None}
    return blend_from(kind.method, given | ({_SEED: seed} if _SEED in parameters(kind) else {}))


def demand_known(kind: type[Blend], given: Parameters, where: str, only: Iterable[str] | None = None) -> None:
    """RecipeFileError for a parameter that the method has not, or has not there."""
    known = [*parameters(kind), *([_INT8] if issubclass(kind, Deltas) else [])]
    known = [name for name in known if name != _SEED and (only is None or name in only)]
    if unknown := [str(name) for name in given if name not in known]:
        raise RecipeFileError(
            f"{where} has a parameter {unknown[0][:40]!r}, which {kind.method} does not heed there.",
            f"Understood there: {', '.join(known) or 'none'}.",
        )
    if _INT8 in given:
        truth(given[_INT8])


def _said(item: Field[Any], name: str, sources: Sequence[Source], general: Sequence[Parameters]) -> Any:
    """What `blend_from` takes, None where nobody says anything."""
    if str(item.type) == "bool":
        return next((given[name] for given in general if name in given), None)
    if name not in OF_SOURCES or not any(name in source.parameters for source in sources):
        return _as_typed(item, _value(name, general, item))
    each = [_value(name, (source.parameters, *general), item) for source in sources]
    for source, value in zip(sources, each, strict=True):
        if value is None:
            raise RecipeFileError(f"{source.model} has no {name}.", "Say it of each model, or of all.")
    return each if str(item.type) == "Values" else each[0]


def _as_typed(item: Field[Any], value: Value | None) -> Any:
    return [value] if value is not None and str(item.type) == "Values" else value


def _value(name: str, order: Iterable[Parameters], item: Field[Any]) -> Value | None:
    said = [_number(given[name]) for given in order if name in given]
    if not said:
        return _default(item) if name in OF_SOURCES else None
    found = said[0]
    for later in said[1:]:
        found = found.then(later)
    default = _default(item)
    return found if default is None else found.then(default)


def _default(item: Field[Any]) -> Value | None:
    """What holds where nothing is said."""
    if item.default is MISSING:
        return None
    default: Value = item.default[0] if isinstance(item.default, tuple) else item.default
    return default


def _number(said: Any) -> Value:
    """YAML has some numbers as text: 1e-3."""
    return Value.of([said] if isinstance(said, str) else said)
