"""Adapter: the files of one folder, read whole or refused: which tensors are there, of which modules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ...errors import BuildError, shortened
from ...inject.borrowed.files import tensors_in
from .config import AdapterConfig, adapter_config

CONFIG, WEIGHTS, PICKLED = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
_KEY = re.compile(r"base_model\.model\.(?P<path>.+?)\.(?P<role>lora_[AB]\.weight|lora_magnitude_vector|ia3_l)")
A, B, MAGNITUDE, FACTORS = "lora_A.weight", "lora_B.weight", "lora_magnitude_vector", "ia3_l"


@dataclass(frozen=True, eq=False)
class Adapter:
    """`modules`: path of a module in the base model -> role -> tensor. `tensors` are the same by their own names."""

    folder: Path
    config: AdapterConfig
    modules: Mapping[str, Mapping[str, Tensor]]
    tensors: Mapping[str, Tensor]


def adapter_in(folder: str | Path) -> Adapter:
    """BuildError for files that are missing, damaged, pickled, or hold what PEFT would pass over in silence."""
    place = Path(folder)
    config = adapter_config(place / CONFIG)
    if not (place / WEIGHTS).is_file() and (place / PICKLED).is_file():
        raise BuildError(f"{place} has its weights in {PICKLED}, which may run code.", "Save it as safetensors.")
    tensors = tensors_in(place / WEIGHTS, BuildError)
    modules: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        found = _KEY.fullmatch(name)
        if found is None:
            raise BuildError(f"{place} holds {name[:120]}, which is of no adapter known here.", "Merge it with PEFT.")
        modules.setdefault(found["path"], {})[found["role"]] = tensor
    if not modules:
        raise BuildError(f"{place} holds no tensors.", "Fetch it again.")
    for path, roles in modules.items():
        _demand_whole(path, roles, config, place)
    return Adapter(place, config, modules, tensors)


def _demand_whole(path: str, roles: Mapping[str, Tensor], config: AdapterConfig, place: Path) -> None:
    wanted = {FACTORS} if config.kind == "IA3" else {A, B} | ({MAGNITUDE} if config.decomposed else set())
    if roles.keys() != wanted:
        raise BuildError(
            f"{place} has {shortened(sorted(roles))} of {path}; by its config it has {shortened(sorted(wanted))}.",
            "Fetch it again.",
        )
    if odd := [role for role, tensor in roles.items() if not tensor.is_floating_point() or not tensor.isfinite().all()]:
        raise BuildError(f"{odd[0]} of {path} in {place} is not finite.", "Fetch it again.")
    if any(roles[role].ndim != 2 for role in wanted - {MAGNITUDE}):
        raise BuildError(f"{place} has a tensor of {path} that is no matrix.", "Fetch it again.")
    if config.kind == "LoRA" and {roles[A].shape[0], roles[B].shape[1]} != {config.rank_of(path)}:
        ranks = f"{roles[A].shape[0]} and {roles[B].shape[1]}"
        raise BuildError(
            f"{place} has ranks {ranks} at {path}, and says {config.rank_of(path)}.", "Fetch both files again."
        )
