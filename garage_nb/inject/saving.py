"""Saving: edits as one JSON file, tensors beside it in safetensors, each with a checksum that is checked on reading."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from ..core.files import reason
from ..core.sealed import Broken, OtherVersion, Seal
from ..errors import GarageError, RecipeFileError
from .edit import Edit
from .kinds import edit_from

FORMAT = "garage_nb recipe"
SEAL = Seal(FORMAT, 1, "recipe")


def save_edits(edits: Sequence[Edit], path: str | Path) -> Path:
    """Write to a `.json` file, or to `recipe.json` in a folder; returns where. RecipeFileError leaves all as it was."""
    place = _place(path)
    tensors = {name: tensor for edit in edits for name, tensor in edit.tensors().items()}
    try:
        SEAL.write(place, {"edits": [edit.to_json() for edit in edits]}, tensors)
    except OSError as error:
        raise RecipeFileError(
            f"The recipe cannot be written: {reason(error)}: {place}", "Name another file."
        ) from error
    except (SafetensorError, KeyError) as error:
        raise RecipeFileError(f"A tensor of the recipe cannot be saved: {error}.", "Give it another dtype.") from None
    return place


def load_edits(path: str | Path) -> tuple[Edit, ...]:
    """RecipeFileError for what is not there, damaged, or says what this version does not know."""
    place = _place(path)
    body, tensors = _opened(place)
    try:
        return tuple(edit_from(data, tensors) for data in body["edits"])
    except RecipeFileError:
        raise
    except GarageError as error:
        raise RecipeFileError(f"{error.what} ({place})", error.hint) from None


def _opened(place: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        body = SEAL.read(place)
        if not isinstance(body.get("edits"), list) or "tensors" not in body:
            raise Broken(str(place))
        return body, SEAL.tensors(body, place)
    except OSError as error:
        raise RecipeFileError(
            f"{error.filename or place} cannot be read: {reason(error)}.", "Name what `save` returned."
        ) from None
    except OtherVersion as error:
        raise RecipeFileError(
            f"{place} is a recipe of version {error}; this one reads {SEAL.version}.", "Update garage_nb."
        ) from None
    except Broken as error:
        raise RecipeFileError(
            f"This is no whole recipe: {error}", "Nothing was changed. Save the recipe again."
        ) from None


def _place(path: str | Path) -> Path:
    place = Path(path)
    return place if place.suffix == ".json" else place / "recipe.json"
