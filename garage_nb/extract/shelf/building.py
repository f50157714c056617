"""Building: a part made from its card alone, through transformers' own class of the config, and filled with tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...core.auto import class_named
from ...core.offloaded import fill
from ...core.parts import parse
from ...core.skeleton import skeleton
from ...errors import GarageError
from ..description import PartDescription
from ..part import ExtractedPart
from ..source import Source
from ..taking import taken
from ..wanted import Units, Wanted
from .card import Layout, PartCard

ATTENTION = ("eager", "sdpa")
EXPERTS = (None, "eager", "batched_mm", "grouped_mm")
_FOREIGN = ("auto_map", "quantization_config", "trust_remote_code")
_UNSAID = {"_name_or_path", "name_or_path", "_commit_hash", "transformers_version", "architectures", "dtype"}


class Unbuildable(ValueError):
    """What a card asks for that this version does not make."""


def tensors_of(part: ExtractedPart) -> dict[str, Tensor]:
    """Weights and all buffers of floating numbers, also of what prepares its call, by name. Unbuildable: quantised."""
    weights = dict(part.named_parameters(remove_duplicate=False))
    packed = next((name for name, one in weights.items() if not one.is_floating_point() or one.element_size() == 1), "")
    if packed:
        raise Unbuildable(f"{packed} is quantised")
    buffers = part.named_buffers(remove_duplicate=False)
    return {**weights, **{name: one for name, one in buffers if one.is_floating_point()}}


def layout_of(tensors: Mapping[str, Tensor]) -> Layout:
    return {name: (str(one.dtype).removeprefix("torch."), tuple(one.shape)) for name, one in tensors.items()}


def built(card: PartCard, tensors: Mapping[str, Tensor]) -> ExtractedPart:
    """On the host, in evaluation mode. Unbuildable says in words what does not fit."""
    if layout_of(tensors) != card.layout:
        raise Unbuildable("its tensors are not those of its card")
    config = config_from(card)
    model_class = class_named(card.model_class, card.model_type)
    if model_class is None:
        raise Unbuildable(f"transformers has no {card.model_class} for {card.model_type}")
    model = skeleton(model_class, config, dtype=_dtype(tensors))
    wanted = Wanted(card.description.part, _units(card.description))
    part = taken(Source(model, card.spec), wanted, card.description.form)
    empty = {name: tuple(one.shape) for name, one in tensors_of(part).items()}
    if empty != {name: shape for name, (_, shape) in card.layout.items()}:
        raise Unbuildable("its tensors are not those of such a part")
    fill(part, tensors)
    part.description = replace(card.description, columns=part.description.columns)
    return part


def config_from(card: PartCard) -> Any:
    """Of transformers' own class for the model type. Unbuildable for what a plain config has not."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    foreign = [name for name in _FOREIGN if name in card.config]
    if foreign or card.attention not in ATTENTION or card.experts not in EXPERTS:
        said = [*foreign, card.attention, str(card.experts)][0]
        raise Unbuildable(f"its config asks for {said}")
    if card.model_type not in CONFIG_MAPPING or card.config.get("model_type") != card.model_type:
        raise Unbuildable(f"transformers has no model type {card.model_type!r} such as its config says")
    kind = CONFIG_MAPPING[card.model_type]
    unknown = sorted(set(card.config) - set(kind().to_dict()))
    if unknown:
        raise Unbuildable(f"its config says {', '.join(unknown[:3])}, which {card.model_type} does not know")
    config = kind.from_dict(dict(card.config))
    config.get_text_config()._attn_implementation = card.attention  # what reads no text may not know that kernel
    if card.experts is not None:
        config._experts_implementation = card.experts
    return config


def said_of(config: Any) -> dict[str, Any]:
    """A config as a card keeps it: what its class knows, without where it came from."""
    known = set(type(config)().to_dict()) - _UNSAID
    said: dict[str, Any] = json.loads(json.dumps(config.to_dict()))
    return {name: value for name, value in said.items() if name in known}


def _units(known: PartDescription) -> Units | None:
    if known.units is None:
        return None
    address = parse(known.part)
    if address is None or not known.units.indices or known.units.kind not in ("head", "neuron", "expert"):
        raise Unbuildable("its units are none of such a part")
    return known.units


def _dtype(tensors: Mapping[str, Tensor]) -> torch.dtype | None:
    """That of its weights, which some decoders go by."""
    return next((one.dtype for name, one in tensors.items() if name.startswith("module.")), None)


def said_by(error: Exception) -> str:
    """The first line, or the kind of an error without words."""
    lines = str(error).splitlines()
    return lines[0] if lines and isinstance(error, ValueError | GarageError) else f"{type(error).__name__} {lines[:1]}"
