"""Written: a blade as JSON, its tensors apart, and back. Strict: what this version does not know is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ...errors import BladeFileError, GarageError
from .blade import Blade, Setting
from .card import FitCard, ModelCard
from .evidence import Evidence
from .kinds.table import kind_of
from .strict import count, made, named, number, or_none, text


def blade_to_json(blade: Blade) -> dict[str, Any]:
    """All but the tensors. BladeFileError for a blade without evidence: nobody could tell what it is good for."""
    if blade.evidence is None:
        raise BladeFileError(
            f"The blade {blade.name!r} has not been measured, and none is saved without its evidence.",
            "Measure it first: measure_blade.",
        )
    return {
        "name": blade.name,
        "kind": blade.kind,
        "place": blade.place,
        "width": blade.width,
        "settings": dict(blade.settings),
        "alpha": blade.alpha,
        "target": blade.target.to_json(),
        "source": None if blade.source is None else blade.source.to_json(),
        "source_place": blade.source_place,
        "source_width": blade.source_width,
        "fit": blade.fit.to_json(),
        "evidence": blade.evidence.to_json(),
    }


def blade_from_json(data: Any, tensors: Mapping[str, Tensor]) -> Blade:
    """What `blade_to_json` wrote, with its tensors. BladeFileError for anything else."""
    if not isinstance(data, dict) or "tensors" in data:
        raise BladeFileError("This is no blade.", "Name what save_blade returned.")
    try:
        blade = made(Blade, {**data, "tensors": tensors}, _BLADE)
        kind_of(blade)
    except BladeFileError:
        raise
    except GarageError as error:
        raise BladeFileError(error.what, error.hint) from None
    return blade


def _setting(value: Any) -> Setting:
    return text(value) if isinstance(value, str) else value if type(value) is int else number(value)


_BLADE = {
    "name": text, "kind": text, "place": text, "width": count, "settings": named(_setting), "alpha": number,
    "target": ModelCard.from_json, "source": or_none(ModelCard.from_json), "source_place": text,
    "source_width": count, "fit": FitCard.from_json, "evidence": Evidence.from_json, "tensors": lambda value: value,
}  # fmt: skip
