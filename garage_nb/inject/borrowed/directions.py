"""Directions to steer by, as others keep them: in safetensors, in GGUF, in IBM's svec.

`direction.<i>` and `layer_<i>` are added to what leaves block i, before any final norm: there llama.cpp adds a control
vector too. Whoever took the last one from transformers' `hidden_states[-1]` took it behind that norm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...core.files import reason
from ...errors import RecipeFileError, shortened
from ..saving import FORMAT
from .files import json_in, tensors_in
from .gguf import MAGIC, directions_in_gguf

BLOCK = re.compile(r"(?:direction[._]|layer_)?([0-9]{1,5})")
_SVEC = ("model_type", "directions", "explained_variances")


def form_of(path: Path) -> str:
    """`gguf`, `safetensors`, `svec` or `recipe`, by what the file begins with; empty for any other."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise RecipeFileError(f"{path} cannot be read: {reason(error)}.", "Name a file that is there.") from None
    if head.startswith(MAGIC):
        return "gguf"
    if head[4:] == b"\0\0\0\0{":  # behind the length of its header, in eight bytes
        return "safetensors"
    if not head.lstrip().startswith(b"{"):
        return ""
    said = json_in(path)
    return "recipe" if said.get("format") == FORMAT else "svec" if "directions" in said else ""


def _from_safetensors(path: Path) -> dict[str, Tensor]:
    return _checked(tensors_in(path), path)


def _from_gguf(path: Path) -> dict[str, Tensor]:
    return _checked({str(block): tensor for block, tensor in directions_in_gguf(path).items()}, path)


def _from_svec(path: Path) -> dict[str, Tensor]:
    said = json_in(path)
    given = said["directions"]
    if said.keys() - set(_SVEC) or not isinstance(given, dict):
        raise RecipeFileError(f"{path} is no svec: it has {shortened(sorted(said))}.", f"One has {', '.join(_SVEC)}.")
    return _checked({name: _row(name, numbers, path) for name, numbers in given.items()}, path)


def _checked(found: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Name -> direction (dim,), float32; a block's is `layer_<i>`. RecipeFileError for anything else."""
    for name, tensor in found.items():
        if tensor.ndim != 1 or not tensor.numel() or not tensor.is_floating_point() or not tensor.isfinite().all():
            raise RecipeFileError(
                f"{name[:60]!r} of {path} is no direction: {tensor.dtype} {tuple(tensor.shape)}.",
                "A direction is finite numbers (dim,); SAELens and PEFT keep theirs in folders.",
            )
    named = {_place(name): tensor.float() for name, tensor in found.items()}
    if len(named) < len(found) or not named:
        raise RecipeFileError(f"{path} holds no directions, or two of one block.", "Name another file.")
    return named


def _place(name: str) -> str:
    block = BLOCK.fullmatch(name)
    return f"layer_{int(block[1])}" if block else name


def _row(name: str, numbers: Any, path: Path) -> Tensor:
    plain = isinstance(numbers, list) and all(type(number) in (int, float) for number in numbers)
    if not plain or not BLOCK.fullmatch(name):
        raise RecipeFileError(f"{name[:40]!r} of {path} is no direction of a block.", "Write a list of numbers.")
    try:
        return torch.tensor(numbers, dtype=torch.float32)
    except (OverflowError, RuntimeError):
        raise RecipeFileError(f"{name!r} of {path} holds numbers beyond all bounds.", "Write them smaller.") from None


DIRECTIONS: dict[str, Callable[[Path], dict[str, Tensor]]] = {
    "safetensors": _from_safetensors,
    "gguf": _from_gguf,
    "svec": _from_svec,
}
