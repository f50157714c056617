"""Configs: that of the result, from the base's and from what the donors' say of each of their layers."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...errors import BuildError
from .donors import Donor

_INDICES = re.compile(r"layers$|layer_(ids|idx|indices|types_idx)|_idxs?$")
_OF_ATTENTION = ("layer_types", "no_rope_layers")
_TOKENS = re.compile(r"_token_ids?$")
Layers = Sequence[tuple[Donor, int]]


def with_blocks(config: Any, base: Donor, layers: Layers) -> Any:
    """A copy for so many blocks. What it lists by layer follows each block from its own donor's config."""
    made = copy.deepcopy(config)
    about = made.get_text_config()
    for name, own in _by_layer(base):
        setattr(about, name, _relisted(name, own, layers))
    about.num_hidden_layers = len(layers)
    return made


def with_attention(config: Any, layer: int, donor: Donor, theirs: int) -> Any:
    """A copy in which a layer's attention sees what it saw in its donor: a window, or everything."""
    made = copy.deepcopy(config)
    about = made.get_text_config()
    for name in _OF_ATTENTION:
        own = getattr(about, name, None)
        if isinstance(own, list | tuple) and len(own) > layer:
            setattr(about, name, [*own[:layer], _said(donor, name)[theirs], *own[layer + 1 :]])
    return made


def _by_layer(base: Donor) -> Iterator[tuple[str, list[Any]]]:
    """Fields that hold one value a layer, or the numbers of some layers."""
    from transformers import PreTrainedConfig

    common = PreTrainedConfig().to_dict()
    for name, value in base.about.to_dict().items():
        plain = isinstance(value, list | tuple) and name not in common and not _TOKENS.search(name)
        if plain and (_is_per_layer(name, value, base) or _is_indices(name, value, base)):
            yield name, list(value)


def _relisted(name: str, own: list[Any], layers: Layers) -> list[Any]:
    indices = all(_is_indices(name, _said(donor, name), donor) for donor, _ in layers)
    if indices and not all(_is_per_layer(name, _said(donor, name), donor) for donor, _ in layers):
        return [place for place, (donor, layer) in enumerate(layers) if layer in _said(donor, name)]
    return [_said(donor, name)[layer] for donor, layer in layers]


def _said(donor: Donor, name: str) -> list[Any]:
    value = getattr(donor.about, name, None)
    if not isinstance(value, list | tuple):
        raise BuildError(
            f"The config of the base says {name} of each layer, and that of {donor.name} does not.",
            "Stack layers of models of one kind.",
        )
    return list(value)


def _is_per_layer(name: str, value: Sequence[Any], donor: Donor) -> bool:
    return len(value) == donor.spec.num_layers


def _is_indices(name: str, value: Sequence[Any], donor: Donor) -> bool:
    whole = all(isinstance(item, int) and 0 <= item < donor.spec.num_layers for item in value)
    return bool(_INDICES.search(name)) and whole
