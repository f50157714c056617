"""Saving: edits as one JSON file, tensors beside it in safetensors, each with a checksum that is checked on reading.

The tensors' file has its checksum in its name and is written first, so that the JSON, which takes its place in one
step, never names tensors of another recipe. Reading changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..core.files import put, reason
from ..errors import GarageError, RecipeFileError
from .edit import Edit
from .kinds import edit_from

FORMAT, VERSION = "garage_nb recipe", 1
_OURS = r"{}-[0-9a-f]{{16}}\.safetensors"


def save_edits(edits: Sequence[Edit], path: str | Path) -> Path:
    """Write to a `.json` file, or to `recipe.json` in a folder; returns where. RecipeFileError leaves all as it was."""
    place = _place(path)
    body: dict[str, Any] = {"edits": [edit.to_json() for edit in edits], "tensors": None}
    tensors = {name: tensor for edit in edits for name, tensor in edit.tensors().items()}
    try:
        before = _tensors_named_in(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        if tensors:
            data = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()})
            body["tensors"] = {"file": f"{place.stem}-{_digest(data)[:16]}.safetensors", "sha256": _digest(data)}
            put(place.with_name(body["tensors"]["file"]), data)
        put(place, _encoded(body))
    except OSError as error:
        raise RecipeFileError(
            f"The recipe cannot be written: {reason(error)}: {place}", "Name another file."
        ) from error
    except (SafetensorError, KeyError) as error:
        raise RecipeFileError(f"A tensor of the recipe cannot be saved: {error}.", "Give it another dtype.") from None
    if before is not None and (body["tensors"] is None or before.name != body["tensors"]["file"]):
        with suppress(OSError):
            before.unlink()
    return place


def load_edits(path: str | Path) -> tuple[Edit, ...]:
    """RecipeFileError for what is not there, damaged, or says what this version does not know."""
    place = _place(path)
    body = _body(_read(place), place)
    try:
        tensors = _tensors(body["tensors"], place)
        return tuple(edit_from(data, tensors) for data in body["edits"])
    except RecipeFileError:
        raise
    except GarageError as error:
        raise RecipeFileError(f"{error.what} ({place})", error.hint) from None


def _body(raw: bytes, place: Path) -> dict[str, Any]:
    try:
        record = json.loads(raw)
        known = record["format"] == FORMAT
        version = record["version"] if known else None
        body = record["recipe"]
        whole = known and record["sha256"] == _digest(_canonical(body)) and isinstance(body["edits"], list)
    except (ValueError, LookupError, TypeError, RecursionError):
        raise _damaged(place) from None
    if known and version != VERSION:
        raise RecipeFileError(
            f"{place} is a recipe of version {str(version)[:20]}; this one reads {VERSION}.", "Update garage_nb."
        )
    if not whole:
        raise _damaged(place)
    return dict(body)


def _tensors(named: Any, place: Path) -> dict[str, Tensor]:
    if named is None:
        return {}
    try:
        beside = place.with_name(named["file"])  # which takes no path out of the folder
        raw = _read(beside)
        if _digest(raw) == named["sha256"]:
            return load(raw)
    except RecipeFileError:
        raise
    except (SafetensorError, LookupError, TypeError, ValueError):
        raise _damaged(place) from None
    raise _damaged(beside)


def _damaged(place: Path) -> RecipeFileError:
    return RecipeFileError(f"This is no whole recipe: {place}", "Nothing was changed. Save the recipe again.")


def _tensors_named_in(place: Path) -> Path | None:
    """The tensors of the recipe that is there now, if it is one of ours and so are they by their name."""
    with suppress(RecipeFileError, TypeError, LookupError):
        named = _body(place.read_bytes(), place)["tensors"]["file"] if place.is_file() else ""
        return place.with_name(named) if re.fullmatch(_OURS.format(re.escape(place.stem)), named) else None
    return None


def _read(place: Path) -> bytes:
    try:
        return place.read_bytes()
    except OSError as error:
        raise RecipeFileError(f"{place} cannot be read: {reason(error)}.", "Name what `save` returned.") from None


def _place(path: str | Path) -> Path:
    place = Path(path)
    return place if place.suffix == ".json" else place / "recipe.json"


def _encoded(body: dict[str, Any]) -> bytes:
    record = {"format": FORMAT, "version": VERSION, "sha256": _digest(_canonical(body)), "recipe": body}
    return json.dumps(record, indent=1).encode()


def _canonical(body: Any) -> bytes:
    return json.dumps(body, sort_keys=True).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
