"""Widths: the config that says of a model that its feed-forwards have fewer neurons, found by trying."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ...core.skeleton import skeleton
from ...core.stored import stored
from ...errors import BuildError
from ..layout.donors import Donor

_WIDTH = re.compile(r"inter|inner|ffn|feed|mlp|(^|_)ff(_|$)")


def empty_for(donor: Donor, tensors: Mapping[str, Tensor], before: int, after: int) -> Any:
    """A model of the donor's class, without weights, whose weights have the shapes of `tensors`.

    A config says a width in one field, for all layers. BuildError where no field makes the shapes right.
    """
    wanted = {name: tensor.shape for name, tensor in tensors.items()}
    for config in _configs(donor, before, after):
        model = skeleton(type(donor.model), config, donor.dtype)
        if {name: tensor.shape for name, tensor in stored(model)} == wanted:
            return model
    raise BuildError(
        f"No field of {type(donor.config).__name__} makes its ffns {after} wide and leaves all else as it is.",
        "Mask the neurons instead.",
    )


def _configs(donor: Donor, before: int, after: int) -> Iterator[Any]:
    """GPT-2 says nothing of a width that is four times that of the stream: None may stand for it."""
    if before == after:
        yield donor.config
    for name, value in donor.about.to_dict().items():
        if _WIDTH.search(name) and type(value) in (int, type(None)) and value in (before, None):
            config = copy.deepcopy(donor.config)
            setattr(config.get_text_config(), name, after)
            yield config
