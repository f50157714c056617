"""Lifted: a model with all that is known of it at first sight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..core.fingerprint import Fingerprint
from ..core.loader import ModelLoader
from ..core.sharded import demand_known_split
from .decompose import spec_of
from .specs import ModelSpec
from .tokens import tokenizer_fingerprint


@dataclass(frozen=True)
class Lifted:
    """The model, its tokenizer, the loader's info, its spec, and what it must still be when the garage is done."""

    model: Any
    tokenizer: Any
    info: dict[str, Any]
    spec: ModelSpec
    baseline: Fingerprint


def lift(source: Any, *, tokenizer: Any = None, revision: str | None = None, **loading: Any) -> Lifted:
    """Load and open a model. `loading` is what ModelLoader takes: device, dtype, device_map, offload_folder."""
    model, found, info = ModelLoader(**loading).load(source, tokenizer=tokenizer, revision=revision)
    demand_known_split(model)
    spec = spec_of(model, info["model_id"])
    if found is not None:
        spec = replace(spec, extra_info={**spec.extra_info, "tokenizer": tokenizer_fingerprint(found)})
    return Lifted(model, found, info, spec, Fingerprint.of(model))
