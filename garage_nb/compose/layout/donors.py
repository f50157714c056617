"""Donors: the models and parts that a sheet names, opened and read-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...core.family import text_config
from ...core.stored import stored
from ...errors import BuildError
from ...extract.chain import home
from ...extract.part import ExtractedPart
from ...extract.shelf.loading import load_part
from ...registry.lift import Lifted, lift
from ...registry.part_spec import PartSpec, PartType
from ...registry.specs import ModelSpec


@dataclass(frozen=True, eq=False)
class Donor:
    """`tensors` are the live ones, under their names in the model that they come from.

    `lifted` is None for a part, which is named in `only`. `fresh`: it was loaded for the sheet, so nobody else has it.
    """

    name: str
    spec: ModelSpec
    tensors: Mapping[str, Tensor]
    config: Any
    lifted: Lifted | None = None
    only: str = ""
    fresh: bool = False

    @property
    def model(self) -> Any:
        """BuildError for a part, which is no whole model."""
        return self.whole.model

    @property
    def whole(self) -> Lifted:
        if self.lifted is None:
            raise BuildError(f"{self.name} is a part, not a whole model.", "Name a model for this.")
        return self.lifted

    @property
    def dtype(self) -> torch.dtype:
        """Of its first weight."""
        return next(tensor.dtype for tensor in self.tensors.values() if tensor.is_floating_point())

    @property
    def device(self) -> torch.device:
        return next(iter(self.tensors.values())).device

    @cached_property
    def about(self) -> Any:
        """The config of what reads text."""
        return self.config.get_text_config()


def opened(name: str, source: Any, dtype: str = "") -> Donor:
    """`source` is what `lift` takes, with `@revision` or not, something lifted, or a part taken out.

    `dtype` is what it is loaded in, empty for as it is. BuildError for what no sheet can use.
    """
    if isinstance(source, Donor):
        return source
    if isinstance(source, str) and is_part_file(source):
        return _of_part(name, load_part(source))
    if isinstance(source, ExtractedPart):
        return _of_part(name, source)
    lifted = source if isinstance(source, Lifted) else _lifted(source, dtype)
    if dtype and lifted.model.dtype != getattr(torch, dtype):
        raise BuildError(
            f"{name} is {str(lifted.model.dtype).removeprefix('torch.')} in memory, and the sheet works in {dtype}.",
            "Load it in that, or name its folder.",
        )
    if text_config(lifted.model) is None:
        raise BuildError(
            f"{name} is a {type(lifted.model).__name__} without a config of transformers.",
            "Only models with one can be built from; run parts of others through the edit Through.",
        )
    tensors = dict(stored(lifted.model))
    absent = [path for path, tensor in tensors.items() if tensor.is_meta]
    if absent:
        raise BuildError(
            f"Weights of {name} are not in memory: {absent[0]} is on the meta device.", "Load it without offloading."
        )
    return Donor(name, _apart(lifted.spec), tensors, lifted.model.config, lifted, fresh=isinstance(source, str | Path))


def is_part_file(source: str) -> bool:
    return source.endswith(".json") and Path(source).expanduser().is_file()


def _lifted(source: Any, dtype: str) -> Lifted:
    if not isinstance(source, str) or "@" not in source or Path(source).exists():
        return lift(source, dtype=dtype or None)
    name, _, revision = source.rpartition("@")
    return lift(name, revision=revision, dtype=dtype or None)


def _apart(spec: ModelSpec) -> ModelSpec:
    """A half of OPT is several modules of a block, and a norm among them: that is a part by itself, as elsewhere."""
    norms = {part.module_path for part in spec.parts.values() if part.part_type is PartType.LAYER_NORM}
    return replace(spec, parts={name: _without(part, norms) for name, part in spec.parts.items()})


def _without(part: PartSpec, norms: set[str]) -> PartSpec:
    if "spread" not in part.extra_info:
        return part
    spread = [path for path in part.extra_info["spread"] if path not in norms]
    return replace(part, extra_info={**part.extra_info, "spread": spread})


def _of_part(name: str, part: ExtractedPart) -> Donor:
    only = part.description.name
    tensors = stored(part.module, f"{home(part.spec.part(only))}.")
    return Donor(name, part.spec, dict(tensors), part.config, only=only)
