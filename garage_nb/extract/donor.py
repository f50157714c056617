"""Donor: what a part keeps of the model it came from, to be judged and built again without it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from ..core.parts import parse
from ..registry.part_spec import PartType
from ..registry.specs import ModelSpec

_NAMES_TOKENS = (PartType.EMBEDDING, PartType.OUTPUT_HEAD)


@dataclass(frozen=True, eq=False)
class Donor:
    """`spec` is cut to the part's own layer and what stands outside the layers. `config` is a copy of the model's;
    None where it has none.
    """

    model_class: type
    config: Any
    spec: ModelSpec

    @classmethod
    def of(cls, model: nn.Module, spec: ModelSpec, name: str) -> Donor:
        return cls(type(model), copy.deepcopy(getattr(model, "config", None)), _trimmed(spec, name))


def _trimmed(spec: ModelSpec, name: str) -> ModelSpec:
    own, layer = parse(name), spec.parts[name].layer_idx
    stack = None if own is None else own.stack
    kept = {other: part for other, part in spec.parts.items() if part.layer_idx is None}
    kept |= {other: spec.parts[other] for other in spec.parts if _beside(spec, other, layer, stack)}
    proofs = tuple(proof for proof in spec.proofs if proof.layer in kept)
    info = dict(spec.extra_info)
    if spec.parts[name].part_type not in _NAMES_TOKENS:
        info.pop("tokenizer", None)
    ordered = {other: part for other, part in spec.parts.items() if other in kept}
    return replace(spec, parts=ordered, module_paths=(), proofs=proofs, extra_info=info)


def _beside(spec: ModelSpec, name: str, layer: int | None, stack: str | None) -> bool:
    address = parse(name)
    return layer is not None and spec.parts[name].layer_idx == layer and (address is None or address.stack == stack)
