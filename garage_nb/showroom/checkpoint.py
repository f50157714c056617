"""A training run on disk: one safetensors file with weights and optimizer state, its header carrying the rest.

One file, written beside the old one and renamed over it: an interrupt leaves the last whole checkpoint.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

FILE = "checkpoint.safetensors"


def save(folder: Path, model: nn.Module, optimizers: list[Optimizer], notes: dict[str, Any]) -> None:
    """`notes` must be JSON; it holds what else the run has to remember."""
    tensors = {f"model/{name}": parameter.detach() for name, parameter in model.named_parameters()}
    for place, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{place}/{index}/{key}": value.contiguous() for key, value in state.items()}
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
    os.close(handle)
    try:
        save_file(tensors, temporary, metadata={"notes": json.dumps(notes)})
        os.replace(temporary, folder / FILE)
    finally:
        Path(temporary).unlink(missing_ok=True)


def load(folder: Path, model: nn.Module, optimizers: list[Optimizer]) -> dict[str, Any] | None:
    """Puts weights and optimizer state back and returns the notes; None when there is no checkpoint."""
    if not (folder / FILE).exists():
        return None
    with safe_open(folder / FILE, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        notes: dict[str, Any] = json.loads(file.metadata()["notes"])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"model/{name}"])
    for place, optimizer in enumerate(optimizers):
        _restore(optimizer, place, tensors)
    return notes


def _restore(optimizer: Optimizer, place: int, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, *rest = name.split("/")
        if kind == "optimizer" and rest[0] == str(place):
            state.setdefault(int(rest[1]), {})[rest[2]] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
