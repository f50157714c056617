"""PartCard: what a part file says of its part, as a value. Its JSON has these fields and no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ...core.family import ModelFamily
from ...registry.specs import ModelSpec
from ..description import Form, PartDescription
from ..wanted import Units

Layout = dict[str, tuple[str, tuple[int, ...]]]  # by name: dtype and shape


@dataclass(frozen=True, kw_only=True)
class PartCard:
    """`model_type` and `model_class` name what transformers knows; `attention` and `experts` which kernels were chosen.

    `revision` is None, and `licence` "unknown", where nobody said. `made_with` are the versions of packages by name.
    """

    description: PartDescription
    revision: str | None
    licence: str
    made_with: dict[str, str]
    model_type: str
    model_class: str
    attention: str
    experts: str | None
    config: dict[str, Any]
    spec: ModelSpec
    layout: Layout

    def to_json(self) -> dict[str, Any]:
        known, units = vars(self.description), self.description.units
        described = {**known, "units": None if units is None else vars(units), "columns": list(known["columns"])}
        layout = {name: [dtype, list(shape)] for name, (dtype, shape) in self.layout.items()}
        return {**vars(self), "description": described, "spec": self.spec.to_json(), "layout": layout}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PartCard:
        """Unknown and missing fields are a TypeError, unknown words a ValueError."""
        _demand_fields(data, cls)
        texts = {name: _typed(data[name], str) for name in ("licence", "model_type", "model_class", "attention")}
        layout = {name: (_typed(dtype, str), _numbers(shape)) for name, (dtype, shape) in data["layout"].items()}
        return cls(
            description=_description(data["description"]),
            spec=ModelSpec.from_json(data["spec"]),
            layout=layout,
            revision=_typed(data["revision"], str, type(None)),
            experts=_typed(data["experts"], str, type(None)),
            made_with={name: _typed(version, str) for name, version in data["made_with"].items()},
            config=_typed(data["config"], dict),
            **texts,
        )


def _description(data: Mapping[str, Any]) -> PartDescription:
    _demand_fields(data, PartDescription)
    for name in ("model_id", "name", "part", "tied", "unlike"):
        _typed(data[name], str)
    for name in ("input_dim", "output_dim", "parameters"):
        _typed(data[name], int)
    _typed(data["max_seq_len"], int, type(None))
    _typed(data["error"], float, int, type(None))
    units = data["units"]
    if units is not None:
        _demand_fields(units, Units)
        units = Units(_typed(units["kind"], str), _numbers(units["indices"]))
    known = {"family": ModelFamily(data["family"]), "form": Form(data["form"]), "columns": _numbers(data["columns"])}
    return PartDescription(**{**data, **known, "units": units})


def _numbers(values: Any) -> tuple[int, ...]:
    return tuple(_typed(value, int) for value in _typed(values, list))


def _typed(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        raise TypeError(f"{type(value).__name__} where {kinds[0].__name__} was expected")
    return value


def _demand_fields(data: Mapping[str, Any], kind: type) -> None:
    differing = set(_typed(data, dict)) ^ {item.name for item in fields(kind)}
    if differing:
        raise TypeError(f"fields {sorted(map(str, differing))}")
