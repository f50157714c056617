"""Files: a blade as `blade.json` in a folder, its tensors beside it in safetensors, each with a checksum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from ...core.files import reason
from ...core.folders import demand_writable
from ...core.sealed import Broken, OtherVersion, Seal
from ...errors import BladeFileError
from .blade import Blade
from .kinds.table import kind_of
from .written import blade_from_json, blade_to_json

SEAL = Seal("garage_nb blade", 2, "blade")
FILE = "blade.json"


def save_blade(blade: Blade, folder: str | Path) -> Path:
    """Returns the JSON file. BladeFileError for a blade without evidence, or where nothing can be written; then all is
    as it was.
    """
    kind_of(blade)
    place, body = Path(folder).expanduser() / FILE, blade_to_json(blade)
    try:
        SEAL.write(place, body, blade.tensors)
    except OSError as error:
        raise _unwritten(place, error) from None
    except (SafetensorError, KeyError) as error:
        raise BladeFileError(f"A tensor of the blade cannot be saved: {error}.", "Give it another dtype.") from None
    return place


def blade_folder(folder: str | Path) -> Path:
    """Where `save_blade` would write, asked before the blade is measured. BladeFileError where it could not."""
    place = Path(folder).expanduser()
    try:
        demand_writable(place)
    except OSError as error:
        raise _unwritten(place, error) from None
    return place


def load_blade(path: str | Path) -> Blade:
    """From the folder, or the file in it. BladeFileError for what is not there, damaged, or of another version."""
    place = Path(path).expanduser()
    place = place if place.suffix == ".json" else place / FILE
    body, tensors = _opened(place)
    return blade_from_json({name: value for name, value in body.items() if name != "tensors"}, tensors)


def _unwritten(place: Path, error: OSError) -> BladeFileError:
    return BladeFileError(f"The blade cannot be written: {reason(error)}: {place}", "Name another folder.")


def _opened(place: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        body = SEAL.read(place)
        if "tensors" not in body:
            raise Broken(str(place))
        return body, SEAL.tensors(body, place)
    except OSError as error:
        raise BladeFileError(
            f"{error.filename or place} cannot be read: {reason(error)}.", "Name what save_blade returned."
        ) from None
    except OtherVersion as error:
        raise BladeFileError(
            f"{place} is a blade of version {error}; this one reads {SEAL.version}.",
            "Update garage_nb, or fit the blade again.",
        ) from None
    except Broken as error:
        raise BladeFileError(f"This is no whole blade: {error}", "Save the blade again.") from None
