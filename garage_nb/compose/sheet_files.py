"""Sheets in files: our own JSON, mergekit's YAML, or the folder of what was built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..core.files import put, reason
from ..core.sealed import Broken, OtherVersion, Seal
from ..errors import BuildError, GarageError
from .assembly.kept_edits import KeptEdits
from .assembly.provenance import KEY, SHEET
from .mergekit.reading import sheet_from
from .mergekit.writing import recipe_from
from .sheet import BuildSheet
from .written import sheet_from_json, sheet_to_json

SEAL = Seal("garage_nb build sheet", 1, "sheet")
_YAML = (".yml", ".yaml")


def save_sheet(sheet: BuildSheet, path: str | Path) -> Path:
    """As a mergekit recipe where the file is `.yml`, else as JSON. BuildError for what cannot be said or written."""
    place = Path(path).expanduser()
    try:
        if place.suffix in _YAML:
            text = recipe_from(sheet)
            place.parent.mkdir(parents=True, exist_ok=True)
            put(place, text.encode())
        else:
            tensors = {name: tensor for edit in sheet.edits for name, tensor in edit.tensors().items()}
            SEAL.write(place, sheet_to_json(sheet), tensors)
    except OSError as error:
        raise BuildError(f"The sheet cannot be written: {reason(error)}: {place}", "Name another file.") from error
    return place


def open_sheet(path: str | Path) -> BuildSheet:
    """What `save_sheet` wrote, any mergekit recipe that is understood, or the sheet of a hybrid in a folder."""
    place = Path(path).expanduser()
    try:
        if place.suffix in _YAML:
            return sheet_from(place.read_text(encoding="utf-8"))
        if place.is_dir():
            return _of_folder(place)
        body = SEAL.read(place)
        return sheet_from_json(_without_tensors(body), SEAL.tensors(body, place))
    except OSError as error:
        raise BuildError(f"{place} cannot be read: {reason(error)}.", "Name a .yml, a .json, or a folder.") from None
    except OtherVersion as error:
        raise BuildError(f"{place} is a sheet of version {error}; 1 is read here.", "Update garage_nb.") from None
    except GarageError:
        raise
    except (Broken, ValueError, LookupError, TypeError):
        raise BuildError(f"{place} is no whole build sheet.", "Save it again, or name another file.") from None


def _of_folder(place: Path) -> BuildSheet:
    """BuildError for a slice, which is built by none."""
    made_of = json.loads((place / "config.json").read_bytes())[KEY]
    if SHEET not in made_of:
        ids = ", ".join(donor["model_id"] for donor in made_of["donors"].values())
        raise BuildError(
            f"{place} holds {ids} with less in it, and no build sheet says that.", f"Open it as a model: load {place}."
        )
    return sheet_from_json(made_of[SHEET], KeptEdits.read(place).tensors)


def _without_tensors(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "tensors"}
