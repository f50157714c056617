"""Files: a blade as `blade.json` in a folder, its tensors beside it in safetensors, each with a checksum."""

from __future__ import annotations

from pathlib import Path

from ...core.sealed import Seal
from ...errors import BladeFileError
from ..sealed_folder import SealedFolder
from .blade import Blade
from .kinds.table import kind_of
from .written import blade_from_json, blade_to_json

BLADES = SealedFolder(Seal("garage_nb blade", 2, "blade"), BladeFileError)


def save_blade(blade: Blade, folder: str | Path) -> Path:
    """Returns the JSON file. BladeFileError for a blade without evidence, or where nothing can be written; then all is
    as it was.
    """
    kind_of(blade)
    return BLADES.write(folder, blade_to_json(blade), blade.tensors)


def load_blade(path: str | Path) -> Blade:
    """From the folder, or the file in it. BladeFileError for what is not there, damaged, or of another version."""
    body, tensors = BLADES.read(path)
    return blade_from_json({name: value for name, value in body.items() if name != "tensors"}, tensors)
