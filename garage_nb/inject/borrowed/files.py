"""Files that others wrote: JSON and safetensors, read whole or refused. Nothing in them is run or followed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from ...core.files import reason
from ...errors import GarageError, RecipeFileError

_DIGITS = re.compile(r"[0-9]+")
LONGEST = 1 << 26  # bytes of JSON: directions of a large model are some twenty million characters


def bytes_of(path: Path, kind: type[GarageError] = RecipeFileError) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise kind(f"{path} cannot be read: {reason(error)}.", "Name a file that is there.") from None


def json_in(path: Path, kind: type[GarageError] = RecipeFileError) -> dict[str, Any]:
    """The object a file holds. `kind` is the error for one that is not there, too long, or no JSON object."""
    raw = bytes_of(path, kind)
    try:
        found = json.loads(raw) if len(raw) <= LONGEST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise kind(f"{path} is no JSON object of at most {LONGEST >> 20} MiB.", "Fetch the file again.")
    return found


def tensors_in(path: Path, kind: type[GarageError] = RecipeFileError) -> dict[str, Tensor]:
    """All tensors of a safetensors file by name, layer 10 behind layer 9; the file itself keeps no order.

    `kind` is the error for one that is not there, cut short or none.
    """
    try:
        return dict(sorted(load(bytes_of(path, kind)).items(), key=lambda named: in_order(named[0])))
    except (SafetensorError, ValueError, KeyError) as error:
        said = " ".join(str(error).split())
        raise kind(f"{path} is no whole safetensors file: {said}.", "Fetch the file again.") from None


def in_order(name: str) -> str:
    """What to sort names by, so that 10 stands behind 9."""
    return _DIGITS.sub(lambda digits: digits[0].zfill(6), name)
